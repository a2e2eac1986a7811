//! What to do about a file that cannot be read, in words a person can paste. Changes nothing itself.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What would make `path` readable after `error`.
pub fn fix(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let user = user_name(rustix::process::geteuid().as_raw());
            // What is closed may be a directory on the way: the first of them that we cannot enter decides.
            let closed = path.ancestors().filter_map(|part| fs::metadata(part).ok().map(|metadata| (part, metadata)));
            match closed.into_iter().next() {
                Some((part, metadata)) => permission(&user, part, metadata.gid(), metadata.mode(), metadata.is_dir()),
                None => format!("give {user} access: setfacl -m u:{user}:rX {shown}"),
            }
        }
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            format!("{shown} is damaged or still being written; check it with its own tool, or exclude it")
        }
        io::ErrorKind::InvalidInput => format!("exclude {shown}"),
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            format!("{shown} is a link that leads to itself; point it to a file, or exclude it")
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "raise the limit of open files: LimitNOFILE= in the unit".to_owned()
        }
        _ => format!("check {shown} and the disk it is on; it is tried again by itself"),
    }
}

/// The command that opens a file of group `gid` and mode `mode` to `user`.
fn permission(user: &str, path: &Path, gid: u32, mode: u32, directory: bool) -> String {
    let needed = if directory { 0o050 } else { 0o040 };
    match group_name(gid) {
        Some(group) if mode & needed == needed && gid != 0 => {
            format!("add {user} to group {group}: usermod -aG {group} {user}, then restart")
        }
        _ if directory => format!("let {user} into the directory: setfacl -m u:{user}:rx {}", path.display()),
        _ => format!("let {user} read it: setfacl -m u:{user}:r {}", path.display()),
    }
}

fn group_name(gid: u32) -> Option<String> {
    name_in("/etc/group", gid)
}

fn user_name(uid: u32) -> String {
    name_in("/etc/passwd", uid).unwrap_or_else(|| format!("the user {uid}"))
}

/// First field of the line whose third is `id` (passwd(5), group(5)).
fn name_in(table: &str, id: u32) -> Option<String> {
    let text = fs::read_to_string(table).ok()?;
    let id = id.to_string();
    text.lines()
        .find(|line| line.split(':').nth(2) == Some(&id))
        .and_then(|line| line.split(':').next())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(gid: u32, mode: u32, directory: bool, expected: &str) {
        assert_eq!(permission("logwren", Path::new("/var/log/x"), gid, mode, directory), expected);
    }

    #[test]
    fn fixes() {
        check(0, 0o640, false, "let logwren read it: setfacl -m u:logwren:r /var/log/x");
        check(0, 0o750, true, "let logwren into the directory: setfacl -m u:logwren:rx /var/log/x");
        if group_name(4).as_deref() == Some("adm") {
            check(4, 0o640, false, "add logwren to group adm: usermod -aG adm logwren, then restart");
            check(4, 0o600, false, "let logwren read it: setfacl -m u:logwren:r /var/log/x");
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(!fix(Path::new("/var/log/x"), &denied).is_empty());
    }
}
