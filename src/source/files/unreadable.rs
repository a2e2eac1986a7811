//! What to do about a file that cannot be read, in words a person can paste. Changes nothing itself.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What would make `path` readable after `error`.
pub fn fix(path: &Path, error: &io::Error) -> String {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let user = User::of(rustix::process::geteuid().as_raw());
            // What is closed may be a directory on the way: the first of them that we cannot enter decides.
            let closed = path.ancestors().filter_map(|part| fs::metadata(part).ok().map(|metadata| (part, metadata)));
            match closed.into_iter().next() {
                Some((part, metadata)) => permission(&user, part, metadata.gid(), metadata.mode(), metadata.is_dir()),
                None => format!("give {user} access: setfacl -m u:{}:rX {shown}", user.name()),
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
fn permission(user: &User, path: &Path, gid: u32, mode: u32, directory: bool) -> String {
    let needed = if directory { 0o050 } else { 0o040 };
    match (group_name(gid).filter(|_| mode & needed == needed && gid != 0), user) {
        (Some(group), User::Named(name)) => {
            format!("add {name} to group {group}: usermod -aG {group} {name}, then restart")
        }
        (Some(group), User::Dynamic(_)) => {
            format!("add SupplementaryGroups={group} to the unit (systemctl edit logwren), then restart")
        }
        (None, User::Named(name)) if directory => {
            format!("let {name} into the directory: setfacl -m u:{name}:rx {}, or exclude it", path.display())
        }
        (None, User::Named(name)) => {
            format!("let {name} read it: setfacl -m u:{name}:r {}, or exclude it", path.display())
        }
        (None, User::Dynamic(_)) => {
            format!("give {} to a group, add it as SupplementaryGroups= to the unit, or exclude it", path.display())
        }
    }
}

/// Who we are, as far as a fix depends on it.
enum User {
    Named(String),
    /// In no table: systemd gave us the number (`DynamicUser=`), and may give another one tomorrow.
    Dynamic(u32),
}

impl User {
    fn of(id: u32) -> User {
        name_in("/etc/passwd", id).map_or(User::Dynamic(id), User::Named)
    }

    fn name(&self) -> String {
        match self {
            User::Named(name) => name.clone(),
            User::Dynamic(id) => id.to_string(),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            User::Named(name) => f.write_str(name),
            User::Dynamic(id) => write!(f, "user {id}"),
        }
    }
}

fn group_name(gid: u32) -> Option<String> {
    name_in("/etc/group", gid)
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
    fn check(user: &User, gid: u32, mode: u32, directory: bool, expected: &str) {
        assert_eq!(permission(user, Path::new("/var/log/x"), gid, mode, directory), expected);
    }

    #[test]
    fn fixes() {
        let named = User::Named("logwren".to_owned());
        let dynamic = User::Dynamic(62126);
        check(&named, 0, 0o640, false, "let logwren read it: setfacl -m u:logwren:r /var/log/x, or exclude it");
        check(
            &named,
            0,
            0o750,
            true,
            "let logwren into the directory: setfacl -m u:logwren:rx /var/log/x, or exclude it",
        );
        let group = "give /var/log/x to a group, add it as SupplementaryGroups= to the unit, or exclude it";
        check(&dynamic, 0, 0o700, true, group);
        if group_name(4).as_deref() == Some("adm") {
            check(&named, 4, 0o640, false, "add logwren to group adm: usermod -aG adm logwren, then restart");
            check(&named, 4, 0o600, false, "let logwren read it: setfacl -m u:logwren:r /var/log/x, or exclude it");
            let unit = "add SupplementaryGroups=adm to the unit (systemctl edit logwren), then restart";
            check(&dynamic, 4, 0o640, false, unit);
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(!fix(Path::new("/var/log/x"), &denied).is_empty());
    }
}
