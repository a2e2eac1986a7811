//! Stands for a mail server: STARTTLS or TLS from the start, AUTH PLAIN and LOGIN, scripted replies. Refuses what a
//! strict one refuses: login or mail before encryption, mail before login, bare line ends, lines too long, dots not
//! stuffed, 8-bit text unannounced, repeated headers (RFC 5321, 5322, 4954, 3207).

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_rustls::TlsAcceptor;

use super::serve::{Running, Seen, Stream, serve};

/// How the server is set up.
#[derive(Clone, Default)]
pub struct Options {
    /// With a certificate: TLS from the start, or STARTTLS required before anything else.
    pub tls: Option<Arc<ServerConfig>>,
    pub implicit: bool,
    /// User and password every mail needs.
    pub login: Option<(&'static str, &'static str)>,
    /// Offers LOGIN only.
    pub login_only: bool,
}

/// A running mail server.
pub struct MailServer {
    running: Running,
    mails: Seen<Mail>,
    state: Arc<State>,
}

/// One accepted mail.
#[derive(Clone, Debug)]
pub struct Mail {
    pub sender: String,
    pub recipients: Vec<String>,
    /// As the writer wrote it: dots unstuffed, CRLF.
    pub data: String,
    pub encrypted: bool,
    pub user: Option<String>,
}

#[derive(Default)]
struct State {
    options: Options,
    script: Mutex<HashMap<&'static str, VecDeque<Act>>>,
    /// Commands as they came, arguments of AUTH left out.
    commands: Seen<String>,
}

#[derive(Clone)]
enum Act {
    Say(String),
    Stall,
}

impl MailServer {
    pub fn start(options: Options) -> MailServer {
        let mails = Seen::default();
        let state = Arc::new(State { options, ..State::default() });
        let (log, shared) = (mails.clone(), state.clone());
        let running = serve(move |stream| {
            let (log, state) = (log.clone(), shared.clone());
            async move {
                let stream: Box<dyn Stream> = match (&state.options.tls, state.options.implicit) {
                    (Some(config), true) => match TlsAcceptor::from(config.clone()).accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        // The client did not like the certificate.
                        Err(_) => return,
                    },
                    _ => Box::new(stream),
                };
                let encrypted = state.options.implicit;
                let session = Session {
                    stream: BufReader::new(stream),
                    state,
                    log,
                    encrypted,
                    user: None,
                    sender: None,
                    recipients: vec![],
                    eight_bit: false,
                };
                // A client that hangs up early is the test's business, not the server's.
                let _ = session.run().await;
            }
        });
        MailServer { running, mails, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Answers the next `verb` (`CONNECT` for the greeting, `.` for the end of a mail) with `reply` instead.
    pub fn script(&self, verb: &'static str, reply: &str) {
        self.act(verb, Act::Say(reply.to_owned()));
    }

    /// Does not answer the next `verb` at all.
    pub fn stall(&self, verb: &'static str) {
        self.act(verb, Act::Stall);
    }

    fn act(&self, verb: &'static str, act: Act) {
        self.state.script.lock().expect("no server thread panicked").entry(verb).or_default().push_back(act);
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.all()
    }

    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Mail> {
        self.mails.wait_for(count, Duration::from_secs(20))
    }

    /// Verbs in the order they came.
    pub fn verbs(&self) -> Vec<String> {
        self.state.commands.all()
    }
}

struct Session {
    stream: BufReader<Box<dyn Stream>>,
    state: Arc<State>,
    log: Seen<Mail>,
    encrypted: bool,
    user: Option<String>,
    sender: Option<String>,
    recipients: Vec<String>,
    eight_bit: bool,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        if !self.scripted("CONNECT").await? {
            self.say("220 mail.test ESMTP").await?;
        }
        while let Some(line) = self.line().await? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            self.state.commands.push(verb.clone());
            if self.scripted(&verb).await? {
                continue;
            }
            match verb.as_str() {
                "EHLO" => self.hello().await?,
                "STARTTLS" => self = self.upgrade().await?,
                "AUTH" => self.log_in(&line).await?,
                "MAIL" => self.mail(&line).await?,
                "RCPT" => self.recipient(&line).await?,
                "DATA" => self.data().await?,
                "NOOP" => self.say("250 2.0.0 fine").await?,
                "RSET" => {
                    self.reset();
                    self.say("250 2.0.0 forgotten").await?;
                }
                "QUIT" => {
                    self.say("221 2.0.0 bye").await?;
                    return self.stream.shutdown().await;
                }
                _ => self.say("500 5.5.2 what?").await?,
            }
        }
        Ok(())
    }

    /// Whether the script had something for `verb`.
    async fn scripted(&mut self, verb: &str) -> io::Result<bool> {
        let act =
            self.state.script.lock().expect("no server thread panicked").get_mut(verb).and_then(VecDeque::pop_front);
        match act {
            None => return Ok(false),
            Some(Act::Say(reply)) => self.say(&reply).await?,
            Some(Act::Stall) => std::future::pending().await,
        }
        Ok(true)
    }

    async fn say(&mut self, reply: &str) -> io::Result<()> {
        self.stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    /// One command line; a bare line end ends the session.
    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = String::new();
        let read = (&mut self.stream).take(2_000).read_line(&mut line).await?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(Some(line.to_owned())),
            None if read == 0 => Ok(None),
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn reset(&mut self) {
        (self.sender, self.recipients, self.eight_bit) = (None, vec![], false);
    }

    async fn hello(&mut self) -> io::Result<()> {
        self.reset();
        let mut features = vec!["mail.test", "8BITMIME", "ENHANCEDSTATUSCODES"];
        if self.state.options.tls.is_some() && !self.encrypted {
            features.push("STARTTLS");
        } else if self.state.options.login.is_some() {
            features.push(if self.state.options.login_only { "AUTH LOGIN" } else { "AUTH PLAIN LOGIN" });
        }
        let last = features.len() - 1;
        for (at, feature) in features.into_iter().enumerate() {
            self.say(&format!("250{}{feature}", if at == last { ' ' } else { '-' })).await?;
        }
        Ok(())
    }

    async fn upgrade(mut self) -> io::Result<Session> {
        let config = match self.state.options.tls.clone() {
            Some(config) if !self.encrypted => config,
            _ => {
                self.say("503 5.5.1 not now").await?;
                return Ok(self);
            }
        };
        self.say("220 2.0.0 go ahead").await?;
        // What a client sends in the clear behind STARTTLS must not count as encrypted.
        if !self.stream.buffer().is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let stream = TlsAcceptor::from(config).accept(self.stream.into_inner()).await?;
        Ok(Session {
            stream: BufReader::new(Box::new(stream)),
            encrypted: true,
            user: None,
            sender: None,
            recipients: vec![],
            eight_bit: false,
            state: self.state,
            log: self.log,
        })
    }

    async fn log_in(&mut self, line: &str) -> io::Result<()> {
        let Some((user, password)) = self.state.options.login else {
            return self.say("502 5.5.1 no AUTH here").await;
        };
        if self.state.options.tls.is_some() && !self.encrypted {
            return self.say("530 5.7.0 Must issue a STARTTLS command first").await;
        }
        if self.user.is_some() || self.sender.is_some() {
            return self.say("503 5.5.1 bad sequence").await;
        }
        let mut words = line.split(' ').skip(1);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let initial = words.next().map(str::to_owned);
        let given = match mechanism.as_str() {
            "PLAIN" if !self.state.options.login_only => {
                let reply = match initial {
                    Some(reply) => reply,
                    None => self.ask("334 ").await?,
                };
                let mut parts = reply_text(&reply).split('\0').map(str::to_owned).collect::<Vec<_>>();
                parts.resize(3, String::new());
                (parts[1].clone(), parts[2].clone())
            }
            "LOGIN" => {
                let name = match initial {
                    Some(reply) => reply,
                    None => self.ask("334 VXNlcm5hbWU6").await?,
                };
                let word = self.ask("334 UGFzc3dvcmQ6").await?;
                (reply_text(&name), reply_text(&word))
            }
            _ => return self.say("504 5.5.4 unknown mechanism").await,
        };
        if given == (user.to_owned(), password.to_owned()) {
            self.user = Some(user.to_owned());
            self.say("235 2.7.0 welcome").await
        } else {
            // As a careless server would: echoes what it was given.
            let echo =
                format!("535 5.7.8 {} {} is not right", line.split(' ').next_back().unwrap_or_default(), given.1);
            self.say(&echo).await
        }
    }

    async fn ask(&mut self, challenge: &str) -> io::Result<String> {
        self.say(challenge).await?;
        self.line().await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    async fn mail(&mut self, line: &str) -> io::Result<()> {
        if self.state.options.tls.is_some() && !self.encrypted {
            return self.say("530 5.7.0 Must issue a STARTTLS command first").await;
        }
        if self.state.options.login.is_some() && self.user.is_none() {
            return self.say("530 5.7.0 Authentication required").await;
        }
        if self.sender.is_some() {
            return self.say("503 5.5.1 nested MAIL").await;
        }
        self.eight_bit = line.to_ascii_uppercase().contains(" BODY=8BITMIME");
        match path(line, "MAIL FROM:") {
            Some(sender) => {
                self.sender = Some(sender);
                self.say("250 2.1.0 ok").await
            }
            None => self.say("501 5.5.4 syntax").await,
        }
    }

    async fn recipient(&mut self, line: &str) -> io::Result<()> {
        match path(line, "RCPT TO:") {
            _ if self.sender.is_none() => self.say("503 5.5.1 MAIL first").await,
            Some(recipient) => {
                self.recipients.push(recipient);
                self.say("250 2.1.5 ok").await
            }
            None => self.say("501 5.5.4 syntax").await,
        }
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.recipients.is_empty() {
            return self.say("503 5.5.1 RCPT first").await;
        }
        self.say("354 go ahead").await?;
        let mut wire = vec![];
        while !wire.ends_with(b"\r\n.\r\n") && wire != b".\r\n" {
            if self.stream.read_until(b'\n', &mut wire).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        wire.truncate(wire.len() - 3);
        if self.scripted(".").await? {
            self.reset();
            return Ok(());
        }
        let sender = self.sender.clone().unwrap_or_default();
        match unwrap_mail(&wire, self.eight_bit) {
            Ok(data) => {
                let mail = Mail {
                    sender,
                    recipients: self.recipients.clone(),
                    data,
                    encrypted: self.encrypted,
                    user: self.user.clone(),
                };
                self.reset();
                self.log.push(mail);
                self.say("250 2.0.0 taken").await
            }
            Err(words) => {
                self.reset();
                self.say(&format!("554 5.6.0 {words}")).await
            }
        }
    }
}

/// `<address>` behind `prefix`.
fn path(line: &str, prefix: &str) -> Option<String> {
    let head = line.get(..prefix.len())?;
    let rest = line.get(prefix.len()..)?;
    let address = rest.strip_prefix('<')?.split_once('>')?.0;
    head.eq_ignore_ascii_case(prefix).then(|| address.to_owned())
}

/// Checks the wire format and takes the stuffed dots off.
fn unwrap_mail(wire: &[u8], eight_bit: bool) -> Result<String, &'static str> {
    let text = std::str::from_utf8(wire).map_err(|_| "not UTF-8")?;
    if !eight_bit && !text.is_ascii() {
        return Err("8-bit text without BODY=8BITMIME");
    }
    let mut data = String::new();
    for line in text.split_terminator("\r\n") {
        if line.contains(['\r', '\n', '\0']) {
            return Err("bare line end or NUL");
        }
        if line.len() > 998 {
            return Err("line too long");
        }
        let line = match line.strip_prefix('.') {
            Some(rest) if rest.starts_with('.') => rest,
            Some(_) => return Err("dot not stuffed"),
            None => line,
        };
        data.push_str(line);
        data.push_str("\r\n");
    }
    let mail = Mail { sender: String::new(), recipients: vec![], data, encrypted: false, user: None };
    let names: Vec<String> = mail.headers().into_iter().map(|(name, _)| name).collect();
    for once in ["from", "date", "message-id", "subject", "to"] {
        if names.iter().filter(|name| *name == once).count() != 1 {
            return Err("a header is missing or repeated");
        }
    }
    Ok(mail.data)
}

impl Mail {
    /// Unfolded, names in lower case.
    pub fn headers(&self) -> Vec<(String, String)> {
        parse_head(self.data.split("\r\n\r\n").next().unwrap_or_default())
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> String {
        let found = self.headers().into_iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("no header {name} in {}", self.data)).1
    }

    /// The decoded part of a type such as `text/plain`.
    #[track_caller]
    pub fn part(&self, kind: &str) -> String {
        let boundary = self.header("content-type");
        let boundary =
            boundary.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a boundary");
        let separator = format!("--{boundary}");
        for part in self.data.split(&*separator).skip(1) {
            let Some((head, body)) = part.trim_start_matches("\r\n").split_once("\r\n\r\n") else { continue };
            let headers = parse_head(head);
            let value = |name: &str| headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
            if value("content-type").starts_with(kind) {
                assert_eq!(value("content-transfer-encoding"), "quoted-printable");
                return quoted_printable(body);
            }
        }
        panic!("no part {kind} in {}", self.data)
    }
}

fn parse_head(head: &str) -> Vec<(String, String)> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let split = unfolded.split("\r\n").filter_map(|line| line.split_once(':'));
    split.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

/// RFC 2045 section 6.7.
fn quoted_printable(text: &str) -> String {
    let text = text.replace("=\r\n", "").replace("\r\n", "\n");
    let mut bytes = vec![];
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match hex.filter(|_| first == b'=').and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("the part is UTF-8")
}

/// Base64 to text; empty for what is neither.
fn reply_text(base64: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0u32, 0, vec![]);
    for byte in base64.bytes().filter(|byte| *byte != b'=') {
        let Some(value) = ALPHABET.iter().position(|known| *known == byte) else { return String::new() };
        bits = bits << 6 | u32::try_from(value).expect("below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("masked"));
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}
