//! What reaches a step of its caller's environment.

/// What every step sees of the caller's environment, whatever it declares: where things are on
/// this machine, and what no result should depend on.
#[rustfmt::skip] // by kind, not one a line
pub const HANDED_THROUGH: &[&str] = &[
    // Where programs and the person are.
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "SSH_AUTH_SOCK",
    // How to reach the network, in both spellings.
    "http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    // Whether a machine is watching.
    "CI",
    // Base folders.
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    // Homes and caches of toolchains.
    "CARGO_HOME", "RUSTUP_HOME", "SCCACHE_DIR", "CCACHE_DIR",
    "GOROOT", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GONOPROXY", "GONOSUMDB", "GOPRIVATE",
    "JAVA_HOME", "GRADLE_USER_HOME", "MAVEN_HOME", "M2_HOME", "ANDROID_HOME", "ANDROID_SDK_ROOT",
    "NVM_DIR", "VOLTA_HOME", "FNM_DIR", "PNPM_HOME", "BUN_INSTALL", "DENO_DIR", "COREPACK_HOME",
    "npm_config_cache", "npm_config_registry", "npm_config_userconfig", "YARN_CACHE_FOLDER",
    "PIP_CACHE_DIR", "PIP_INDEX_URL", "UV_CACHE_DIR", "PYENV_ROOT", "PIPX_HOME", "POETRY_CACHE_DIR",
    "RBENV_ROOT", "GEM_HOME", "BUNDLE_PATH", "COMPOSER_HOME", "NUGET_PACKAGES", "DOTNET_ROOT",
    "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR", "NIX_PATH", "DOCKER_HOST", "DOCKER_CONFIG",
];

/// Whether `name` is what `pattern` says, where `*` stands for any text.
pub fn covers(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(head) else {
        return false;
    };
    (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| covers(tail, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        assert!(
            covers("*", "")
                && covers("A*Z", "ABZ")
                && covers("A*B*", "A-B-")
                && !covers("A*Z", "AZX")
        );
    }
}
