//! Fetches secrets from where the config says they are. The only place that holds one in the clear, for a moment.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::model::SecretRef;
use crate::redact::Secret;

/// Looks a secret up. systemd gives credentials under their own name, or `NAME_file` when a folder is loaded as `NAME`.
///
/// # Errors
/// What is missing and how to put it there; never the value.
pub fn resolve(place: &SecretRef) -> Result<Secret, String> {
    let text = match place {
        SecretRef::Env(variable) => std::env::var(variable)
            .map_err(|_| format!("{place} is not set; set it in the environment, or use *_credential or *_file"))?,
        SecretRef::Credential(name) => credential(name)?,
        SecretRef::File(path) => file(path)?,
    };
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{place} is empty"));
    }
    Ok(Secret::from(text.to_owned()))
}

fn credential(name: &str) -> Result<String, String> {
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
        return Err(format!(
            "credential {name} cannot be read outside a systemd service; put it into /etc/logwren/credentials/{name} \
             and start logwren.service"
        ));
    };
    let folder = Path::new(&folder);
    let candidates = [folder.join(name), folder.join(format!("logwren_{name}"))];
    let found = candidates.iter().find(|path| path.exists());
    let Some(path) = found else {
        return Err(format!(
            "credential {name} was not given to this service; put it into /etc/logwren/credentials/{name} (0600, root) \
             and restart"
        ));
    };
    std::fs::read_to_string(path).map_err(|error| format!("cannot read credential {name}: {error}"))
}

fn file(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let about = std::fs::metadata(path).map_err(|error| format!("cannot read secret file {shown}: {error}"))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(format!(
            "secret file {shown} may be read by others (mode {:o}, owner {}); run: chmod 600 {shown}",
            about.permissions().mode() & 0o777,
            about.uid()
        ));
    }
    std::fs::read_to_string(path).map_err(|error| format!("cannot read secret file {shown}: {error}"))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_secret_file_must_be_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        std::fs::write(&path, "s3cret\n").expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changed");
        let place = SecretRef::File(path.clone());
        let error = resolve(&place).expect_err("others may read it");
        assert!(error.contains("chmod 600") && !error.contains("s3cret"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("changed");
        let secret = resolve(&place).expect("private now");
        assert_eq!(secret.expose_secret(), "s3cret");
        assert!(!format!("{secret:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = resolve(&SecretRef::Env("LOGWREN_TEST_NOT_SET".to_owned())).expect_err("not set");
        assert!(error.contains("LOGWREN_TEST_NOT_SET"), "{error}");
        let error = resolve(&SecretRef::File("/nonexistent/key".into())).expect_err("not there");
        assert!(error.contains("/nonexistent/key"), "{error}");
    }
}
