//! The control socket: commands that write reach the running daemon here. One line of JSON in, one line out. Only root and
//! the daemon's own user are heard; nobody can make it wait, grow or stop. Decides nothing about a command.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::driver::Control;
use crate::model::{Reply, Said};

/// Name of the socket in the runtime or state directory.
pub const NAME: &str = "control.sock";
/// Longest command, in bytes.
const MAX_COMMAND: u64 = 64 * 1024;
/// A client says its command and takes its reply within this time each.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the state may take to become durable before we say that it does not.
const DURABLE_WITHIN: Duration = Duration::from_secs(20);
/// Clients heard at the same time; more wait in line.
const AT_ONCE: usize = 8;
/// Longest path of a socket that fits everywhere (`sun_path` in unix(7)).
const MAX_PATH: usize = 100;

/// Where others find the socket. The files go when it does, so keep it until the end: tasks are not dropped then.
#[derive(Debug)]
pub struct Files(Vec<PathBuf>);

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.0 {
            // Gone already is fine; a stale one is replaced by the next start.
            let _ = fs::remove_file(path);
        }
    }
}

/// Opens the socket in `$RUNTIME_DIRECTORY` if there is one, with a link to it in `state_dir`, else in `state_dir`. To be
/// called by who holds the state: what is there of an earlier daemon is removed.
///
/// # Errors
/// As the file system says.
pub fn open(state_dir: &Path) -> io::Result<(UnixListener, Files)> {
    let known = state_dir.join(NAME);
    // systemd gives several directories with `:` between them; the first one is ours.
    let runtime = std::env::var("RUNTIME_DIRECTORY").ok();
    let runtime = runtime.as_deref().and_then(|all| all.split(':').next()).map(Path::new);
    let folder = runtime.filter(|path| path.is_absolute() && path.is_dir()).unwrap_or(state_dir);
    let path = folder.join(NAME);
    remove(&path)?;
    remove(&known)?;
    let listener = at_short_path(&path, UnixListener::bind)?;
    let mut files = Files(vec![path.clone()]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    if path != known {
        std::os::unix::fs::symlink(&path, &known)?;
        files.0.push(known);
    }
    Ok((listener, files))
}

/// Calls `with` with a name of `path` that is short enough for a socket.
///
/// # Errors
/// As `with` and the file system say.
pub fn at_short_path<T>(path: &Path, with: impl FnOnce(PathBuf) -> io::Result<T>) -> io::Result<T> {
    if path.as_os_str().len() <= MAX_PATH {
        return with(path.to_owned());
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return with(path.to_owned()) };
    let folder = fs::File::open(folder)?;
    with(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

/// Takes commands until the process ends.
pub async fn serve(listener: UnixListener, control: mpsc::Sender<Control>) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let own = rustix::process::geteuid().as_raw();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot take a command");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let user = match stream.peer_cred() {
            Ok(peer) if peer.uid() == 0 || peer.uid() == own => peer.uid(),
            Ok(peer) => {
                tracing::warn!(user = peer.uid(), "user {} may not give commands; not heard", peer.uid());
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot tell who gives a command; not heard");
                continue;
            }
        };
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let control = control.clone();
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = hear(stream, user, &control).await {
                tracing::debug!(%error, "a client of the control socket left");
            }
        });
    }
}

async fn hear(mut stream: UnixStream, user: u32, control: &mpsc::Sender<Control>) -> io::Result<()> {
    let (from, to) = stream.split();
    let mut line = Vec::new();
    let mut reader = BufReader::new(from.take(MAX_COMMAND));
    let read = tokio::time::timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await;
    let reply = match read {
        Ok(Ok(_)) if line.ends_with(b"\n") => obey(&line, user, control).await,
        Ok(Ok(_)) => Reply::Refused(format!("a command is one line of JSON of at most {MAX_COMMAND} bytes")),
        Ok(Err(error)) => return Err(error),
        Err(_) => Reply::Refused(format!("no command came within {} s", PATIENCE.as_secs())),
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    let mut to = to;
    tokio::time::timeout(PATIENCE, to.write_all(&text)).await.map_err(io::Error::from)?
}

async fn obey(line: &[u8], user: u32, control: &mpsc::Sender<Control>) -> Reply {
    let said: Said = match serde_json::from_slice(line) {
        Ok(said) => said,
        Err(error) => return Reply::Refused(format!("not a command: {error}")),
    };
    tracing::info!(user, "user {user} says `{}`", said.word.as_str());
    let (reply, answer) = oneshot::channel();
    if control.send(Control::Answer { said: Box::new(said), reply }).await.is_err() {
        return Reply::Refused("the daemon is stopping; try again".to_owned());
    }
    match tokio::time::timeout(DURABLE_WITHIN, answer).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => Reply::Refused("the daemon is stopping; look at `logwren mutes` whether it was taken".to_owned()),
        Err(_) => Reply::Refused(
            "the state cannot be written now, so this holds only once it can; `systemctl status logwren` says why"
                .to_owned(),
        ),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
