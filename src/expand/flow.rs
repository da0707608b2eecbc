//! Whether the text of a name can get into the value of the expression that uses it. That is told by
//! the expression alone: what is refused must not depend on what values happen to be.

use super::tokens::{Kind, Token};

/// Whether the value at `at..end` can get into the value of the expression. What is only compared,
/// counted, negated or a condition cannot.
pub(super) fn carries(tokens: &[Token], at: usize, end: usize) -> bool {
    let (mut start, mut end) = (at, end);
    loop {
        let Some(after) = filtered(tokens, end) else {
            return false;
        };
        let (before, rest) = (&tokens[..start], &tokens[after..]);
        let (left, open) = left(before);
        let (right, close) = right(rest);
        let is_tested = rest.first().is_some_and(|token| is_word(token, "is"));
        if is_tested || follows_test(before) || is_compared((before, &left), (rest, &right)) {
            return false;
        }
        if is_condition(before, &left) {
            return false;
        }
        let (Some(open), Some(close)) = (open, close) else {
            return true;
        };
        if follows_test(&tokens[..open]) {
            return false;
        }
        (start, end) = (open, after + close + 1);
    }
}

/// Behind the fields and filters that follow; none where one of them counts.
fn filtered(tokens: &[Token], mut at: usize) -> Option<usize> {
    loop {
        match &tokens[at..] {
            [bar, filter, ..] if bar.is_sign("|") && filter.text == "length" => return None,
            [sign, _, ..] if sign.is_sign("|") || sign.is_sign(".") => at += 2,
            [open, rest @ ..] if open.is_sign("[") || open.is_sign("(") => match right(rest).1 {
                Some(close) => at += close + 2,
                None => return Some(at),
            },
            _ => return Some(at),
        }
    }
}

/// The places, from the last on, of what stands before a value between the same brackets, and of the
/// one that opens them.
fn left(before: &[Token]) -> (Vec<usize>, Option<usize>) {
    level(
        before.iter().enumerate().rev(),
        [")", "]", "}"],
        ["(", "[", "{"],
    )
}

/// The same for what stands behind it.
fn right(rest: &[Token]) -> (Vec<usize>, Option<usize>) {
    level(rest.iter().enumerate(), ["(", "[", "{"], [")", "]", "}"])
}

fn level<'t>(
    tokens: impl Iterator<Item = (usize, &'t Token<'t>)>,
    enter: [&str; 3],
    leave: [&str; 3],
) -> (Vec<usize>, Option<usize>) {
    let mut depth = 0_usize;
    let mut level = Vec::new();
    for (at, token) in tokens {
        let is_sign = token.kind == Kind::Sign;
        if is_sign && enter.contains(&token.text) {
            depth += 1;
        } else if is_sign && leave.contains(&token.text) {
            match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return (level, Some(at)),
            }
        } else if depth == 0 {
            level.push(at);
        }
    }
    (level, None)
}

fn is_word(token: &Token, word: &str) -> bool {
    token.kind == Kind::Word && token.text == word
}

/// Whether `before` ends with a test, behind which its argument stands.
fn follows_test(before: &[Token]) -> bool {
    match before {
        [.., is, test] if is_word(is, "is") => test.kind == Kind::Word && test.text != "not",
        [.., is, not, _] => is_word(is, "is") && is_word(not, "not"),
        _ => false,
    }
}

/// Whether it is a part of an operand of a comparison or of `not`: hardly anything binds as loosely.
fn is_compared(left: (&[Token], &[usize]), right: (&[Token], &[usize])) -> bool {
    let ends = |token: &Token| match token.kind {
        Kind::Word => ["and", "or", "if", "else"].contains(&token.text),
        _ => token.is_sign(",") || token.is_sign(":"),
    };
    let has = |(tokens, level): (&[Token], &[usize]), negates: bool| {
        let near = level.iter().take_while(|at| !ends(&tokens[**at]));
        near.into_iter().any(|at| {
            let token = &tokens[*at];
            let is_sign = ["==", "!=", "<", ">", "<=", ">="].contains(&token.text);
            let is_test = follows_test(&tokens[..=*at]);
            let follows_is = *at > 0 && is_word(&tokens[at - 1], "is");
            token.kind == Kind::Sign && is_sign
                || is_word(token, "in") && !is_test
                || negates && is_word(token, "not") && !follows_is
        })
    };
    has(left, true) || has(right, false)
}

/// Whether it stands between an `if` and its `else`.
fn is_condition(before: &[Token], left: &[usize]) -> bool {
    let token = left.iter().map(|at| &before[*at]).find(|token| {
        let ends = token.is_sign(",") || token.is_sign(":");
        ends || is_word(token, "if") || is_word(token, "else")
    });
    token.is_some_and(|token| is_word(token, "if"))
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::carries;

    #[test]
    fn what_gets_into_a_value() {
        for (expression, want) in [
            ("x", true),
            ("x == 'a'", false),
            ("'a' == x ~ 'b'", false),
            ("x ~ 'a' == 'b'", false),
            ("(x | lower) == 'a'", false),
            ("[(x)] == ['a']", false),
            ("x is defined", false),
            ("x is defined ~ 'a'", false),
            ("x ~ 'a' is defined", true),
            ("x ~ 'a' is in 'b'", true),
            ("'a' is in x", false),
            ("'a' is not startingwith(x)", false),
            ("'a' is startingwith('b') ~ x", true),
            ("x not in ['a']", false),
            ("'a' in [x]", false),
            ("not x", false),
            ("not a and x", true),
            ("a is not b or x", true),
            ("a == b or x", true),
            ("[a == b, x]", true),
            ("1 if x else 2", false),
            ("1 if (x | lower) else 2", false),
            ("1 if y else x", true),
            ("x if y else 1", true),
            ("1 if y else 2 if x else 3", false),
            ("(1 if y else x) | length", false),
            ("x | split('.') | length", false),
            ("x[0]", true),
            ("'a' | replace('b', x)", true),
            ("'a' | replace('b', x) | length > 1", false),
            ("{'a': x}['a']", true),
            ("(x", true),
        ] {
            let tokens = tokens(expression);
            let at = tokens.iter().position(|token| token.text == "x");
            let at = at.expect("has it");
            assert_eq!(carries(&tokens, at, at + 1), want, "{expression}");
        }
    }
}
