//! Asking a URL, for checks. The only file that names the HTTP client; knows no step.

use std::io::Read;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Error, Proxy};

use super::checks::{Complaint, MOST};
use super::environment::Variables;

/// So much of an answer that is not as wanted goes to the log.
const SHOWN: usize = 16 * 1024;

/// Whom the system trusts. What cannot be read of it makes a connection fail that needs it.
static TRUSTED: LazyLock<Vec<Certificate<'static>>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs().certs;
    let owned = |certificate: &[u8]| Certificate::from_der(certificate).to_owned();
    found.iter().map(|certificate| owned(certificate)).collect()
});

/// A GET, and which answer is good.
pub(super) struct Request {
    pub(super) url: String,
    pub(super) proxies: Proxies,
    /// From the look-up of the name to the end of the answer, redirects included.
    pub(super) timeout: Duration,
    /// Good statuses; none means all from 200 to 299.
    pub(super) status: Vec<u16>,
    /// Whether the answer's text is wanted.
    pub(super) wants_body: bool,
}

impl Request {
    /// The answer's text, where it is wanted.
    pub(super) fn get(self) -> Result<Vec<u8>, Complaint> {
        let mut answer = self
            .agent()?
            .get(&self.url)
            .call()
            .map_err(|error| self.words(&error))?;
        let status = answer.status().as_u16();
        if !self.is_good(status) {
            let mut printed = Vec::new();
            // What was read so far says enough.
            let _ = self.read(answer.body_mut(), SHOWN, &mut printed);
            return Err(Complaint {
                text: format!(
                    "`{}` answers {status}, wanted is {}",
                    self.url,
                    self.wanted()
                ),
                printed,
            });
        }
        let mut text = Vec::new();
        if self.wants_body {
            self.read(answer.body_mut(), MOST, &mut text)?;
        }
        Ok(text)
    }

    fn agent(&self) -> Result<Agent, Complaint> {
        // What redirects is itself looked at where such a status is wanted.
        let follows = !self.status.iter().any(|code| (300..400).contains(code));
        let provider = rustls::crypto::ring::default_provider();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&TRUSTED))
            .unversioned_rustls_crypto_provider(Arc::new(provider))
            .build();
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(self.timeout))
            .max_redirects(if follows { 10 } else { 0 })
            .proxy(self.proxies.proxy_for(&self.url)?)
            .tls_config(tls)
            .user_agent(concat!("pipe/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(config.new_agent())
    }

    fn is_good(&self, status: u16) -> bool {
        match self.status.as_slice() {
            [] => (200..300).contains(&status),
            wanted => wanted.contains(&status),
        }
    }

    fn wanted(&self) -> String {
        let codes: Vec<String> = self.status.iter().map(u16::to_string).collect();
        match codes.as_slice() {
            [] => "200 to 299".to_owned(),
            codes => codes.join(" or "),
        }
    }

    fn read(&self, body: &mut Body, most: usize, to: &mut Vec<u8>) -> Result<(), Complaint> {
        let read = body.as_reader().take(most as u64).read_to_end(to);
        read.map(drop)
            .map_err(|error| self.words(&Error::from(error)))
    }

    fn words(&self, error: &Error) -> Complaint {
        let url = &self.url;
        let text = match error {
            Error::Timeout(_) => format!(
                "`{url}` did not answer within {}",
                humantime::format_duration(self.timeout)
            ),
            Error::HostNotFound => format!("`{url}`: there is no such host"),
            Error::BadUri(why) => format!("`{url}` is not a URL: {why}"),
            Error::Io(error) => format!("`{url}` does not answer: {error}"),
            other => format!("`{url}`: {other}"),
        };
        text.into()
    }
}

/// The proxies that a step's variables name, in the spellings that other clients know.
pub(super) struct Proxies {
    http: Option<String>,
    https: Option<String>,
    none: String,
}

impl Proxies {
    pub(super) fn of(variables: &Variables) -> Self {
        let variable = |names: &[&str]| {
            let found = names
                .iter()
                .find_map(|name| variables.get(std::ffi::OsStr::new(name)));
            let text = found.and_then(|value| value.to_str());
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Self {
            http: variable(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            https: variable(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            none: variable(&["no_proxy", "NO_PROXY"]).unwrap_or_default(),
        }
    }

    /// What runs on this machine is asked directly, whatever the variables say.
    fn proxy_for(&self, url: &str) -> Result<Option<Proxy>, Complaint> {
        let uri: Uri = url
            .parse()
            .map_err(|error| format!("`{url}` is not a URL: {error}"))?;
        let of_scheme = match uri.scheme_str() {
            Some("https") => &self.https,
            _ => &self.http,
        };
        let Some(written) = of_scheme
            .as_ref()
            .filter(|_| !uri.host().is_some_and(is_here))
        else {
            return Ok(None);
        };
        let parsed = Proxy::new(written);
        let parsed = parsed.map_err(|error| format!("the proxy `{written}`: {error}"))?;
        let mut proxy = Proxy::builder(parsed.protocol())
            .host(parsed.host())
            .port(parsed.port());
        if let (Some(name), Some(word)) = (parsed.username(), parsed.password()) {
            proxy = proxy.username(name).password(word);
        }
        // A domain means the hosts in it too.
        for host in self
            .none
            .split(',')
            .map(|host| host.trim().trim_start_matches('.'))
        {
            proxy = proxy.no_proxy(host).no_proxy(&format!(".{host}"));
        }
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            proxy = proxy.no_proxy(host);
        }
        let proxy = proxy.build();
        proxy
            .map(Some)
            .map_err(|error| format!("the proxy `{written}`: {error}").into())
    }
}

fn is_here(host: &str) -> bool {
    let number = host.trim_matches(['[', ']']).parse();
    host == "localhost"
        || host.ends_with(".localhost")
        || number.is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers as many requests as there are `answers`; gives its address.
    fn server(answers: &[&str]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Vec<String> = answers.iter().map(|text| (*text).to_owned()).collect();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let asked = BufReader::new(stream.try_clone().unwrap()).lines();
                let _ = asked.map_while(Result::ok).find(String::is_empty);
                let answer = answer.replace("BASE", &format!("http://{address}"));
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        format!("http://{address}/")
    }

    fn answer(status: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }

    const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: BASE/there\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

    fn request(url: &str, status: &[u16]) -> Request {
        Request {
            url: url.to_owned(),
            proxies: Proxies {
                http: Some("http://127.0.0.1:1".to_owned()),
                https: None,
                none: String::new(),
            },
            timeout: Duration::from_secs(60),
            status: status.to_vec(),
            wants_body: true,
        }
    }

    fn get(answers: &[&str], status: &[u16]) -> Result<String, String> {
        let url = server(answers);
        let told = request(&url, status).get();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        told.map(text).map_err(|complaint| {
            complaint.text.replace(&url, "URL") + "|" + &text(complaint.printed)
        })
    }

    #[test]
    fn the_status_decides_and_redirects_are_followed() {
        let (good, bad) = (answer("200 OK", "fine"), answer("503 No", "sorry"));
        assert_eq!(get(&[&good], &[]), Ok("fine".to_owned()));
        let text = "`URL` answers 503, wanted is 200 to 299|sorry".to_owned();
        assert_eq!(get(&[&bad], &[]), Err(text));
        assert_eq!(get(&[&bad], &[404, 503]), Ok("sorry".to_owned()));
        let text = "`URL` answers 200, wanted is 404 or 503|fine".to_owned();
        assert_eq!(get(&[&good], &[404, 503]), Err(text));
        assert_eq!(get(&[MOVED, &good], &[]), Ok("fine".to_owned()));
        assert_eq!(get(&[MOVED], &[302]), Ok(String::new()));
    }

    #[test]
    fn who_does_not_answer_is_told() {
        let gone = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}/", listener.local_addr().unwrap())
        };
        let told = request(&gone, &[])
            .get()
            .map_err(|complaint| complaint.text);
        assert!(
            told.unwrap_err()
                .starts_with(&format!("`{gone}` does not answer: "))
        );
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let mut hurried = request(&url, &[]);
        hurried.timeout = Duration::from_millis(1);
        let told = hurried.get().map_err(|complaint| complaint.text);
        assert_eq!(
            told.unwrap_err(),
            format!("`{url}` did not answer within 1ms")
        );
        let told = request("ftp://x/", &[])
            .get()
            .map_err(|complaint| complaint.text);
        assert!(told.is_err());
    }

    #[test]
    fn proxies_are_for_what_is_elsewhere() {
        let variables = [
            ("http_proxy", "http://u:p@proxy:3128"),
            ("no_proxy", "internal.example, .corp"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let proxies = Proxies::of(&variables.into());
        let proxy = |url: &str| proxies.proxy_for(url).ok().flatten();
        for here in [
            "http://localhost:8080/",
            "http://127.0.0.2/",
            "http://[::1]:1/",
            "https://example.org/",
        ] {
            assert!(proxy(here).is_none(), "{here}");
        }
        let proxy = proxy("http://example.org/").unwrap();
        assert_eq!(
            (proxy.host(), proxy.port(), proxy.username()),
            ("proxy", 3128, Some("u"))
        );
        let is_direct = |url: &str| proxy.is_no_proxy(&url.parse().unwrap());
        assert!(is_direct("http://internal.example/") && is_direct("http://a.corp/"));
        assert!(is_direct("http://a.internal.example/") && is_direct("http://localhost/"));
        assert!(!is_direct("http://example.org/"));
    }
}
