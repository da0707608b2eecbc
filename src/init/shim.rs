//! The Makefile that turns `make prod` into `pipe run prod`.

/// Its text. The letters are handed on in so many words, since with `+` a line runs also under
/// `make -n` and `make -q`.
pub const MAKEFILE: &str = "\
# For those who type make: `make prod` is `pipe run prod`, and `make` alone is `pipe run`.
# The options -n, -q, -k, -s, -B and assignments (`make prod tags=x`) are handed on.

MAKEFLAGS += -rR --no-print-directory
options = $(foreach letter,n q k s B,$(if $(findstring $(letter),$(firstword -$(MAKEFLAGS))),-$(letter)))

.DEFAULT_GOAL := default
.PHONY: default FORCE

default: FORCE
\t+@pipe run $(options) $(MAKEOVERRIDES)

%: FORCE
\t+@pipe run $(options) '$@' $(MAKEOVERRIDES)

# make looks for a way to remake this file too: there is none.
Makefile: ;
FORCE:
";
