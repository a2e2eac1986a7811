//! Secrets of many kinds, as programs log them. Made up at run time from parts, so that none stands in this file.

/// One secret in a log line.
#[derive(Clone, Debug)]
pub struct Planted {
    pub kind: &'static str,
    /// Of several lines for keys that have them.
    pub text: String,
    /// What must not be seen anywhere, in whole or by half.
    pub secrets: Vec<String>,
}

/// Kind, and the line around it: what stands between `«` and `»` is secret. `{a36}` are 36 letters and digits, `{l9}` lower
/// case and digits, `{h32}` hexadecimal, `{H8}` in upper case, `{u16}` of base 32, `{d10}` digits.
const KINDS: &[(&str, &str)] = &[
    // clouds
    ("aws access key", "s3: using key «AKIA{u16}» in eu-west-1"),
    ("aws secret key", "aws_secret_access_key = «{a40}»"),
    ("aws session token", "aws_session_token=«IQoJb3JpZ2luX2Vj{a120}»"),
    ("aws presigned url", "GET /b/o?X-Amz-Credential=x&X-Amz-Signature=«{h64}» 403"),
    ("google api key", "maps key «AIza{a35}» is not valid"),
    ("google auth key", "generativelanguage key «AQ.{a40}» is not valid"),
    ("google oauth token", "oauth «ya29.{a60}» expired"),
    ("google client secret", "client «GOCSPX-{a28}» unknown"),
    ("azure client secret", "azure app «{a3}8Q~{a34}» expired"),
    ("azure storage key", "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=«{a86}==»;EndpointSuffix=y"),
    ("azure sas", "GET /c?sv=2022&sig=«{a43}%3D» 403"),
    ("digitalocean", "do token «dop_v1_{h64}» rejected"),
    ("alibaba", "aliyun «LTAI{a20}» denied"),
    ("cloudflare", "origin ca «v1.0-{h24}-{h146}»"),
    ("heroku", "heroku login «HRKU-{a40}»"),
    ("databricks", "databricks host refused «dapi{h32}»"),
    ("tailscale", "tailscale up «tskey-auth-{a17}-{a32}»"),
    // code, packages, build
    ("github token", "git push with «ghp_{a36}» failed"),
    ("github fine-grained", "git pat «github_pat_{a22}_{a59}» is revoked"),
    ("gitlab token", "ci job used «glpat-{a20}»"),
    ("bitbucket", "bitbucket app password «ATBB{a32}»"),
    ("jira", "jira basic «ATATT3{a180}=»"),
    ("npm", "npm publish «npm_{a36}» failed"),
    ("npmrc", "//registry.example.org/:_authToken=«{a36}»"),
    ("pypi", "twine upload «pypi-AgEIcHlwaS5vcmc{a80}»"),
    ("rubygems", "gem push «rubygems_{h48}»"),
    ("docker hub", "docker login «dckr_pat_{a27}»"),
    ("terraform cloud", "terraform login «{a14}.atlasv1.{a67}»"),
    ("vault", "vault token «hvs.{a90}» expired"),
    ("age key", "age identity «AGE-SECRET-KEY-1{u58}»"),
    // talk and mail
    ("slack token", "slack bot «xoxb-{d12}-{d12}-{a24}»"),
    ("slack app token", "slack socket «xapp-1-A{d10}-{d13}-{h64}»"),
    ("slack webhook", "POST https://hooks.slack.com/services/T1/«B{u8}/{a24}» 404"),
    ("discord webhook", "POST https://discord.com/api/webhooks/«{d18}/{a68}» 429"),
    ("telegram bot", "telegram poll «{d10}:AA{a33}»"),
    ("sendgrid", "sendgrid «SG.{a22}.{a43}» over quota"),
    ("mailgun", "mailgun «key-{h32}» over quota"),
    ("twilio", "twilio «SK{h32}» suspended"),
    ("pagerduty", "pagerduty routing_key=«{h32}»"),
    // money
    ("stripe", "stripe charge with «sk_live_{a24}» declined"),
    ("stripe webhook", "stripe webhook «whsec_{a32}»"),
    ("square", "square «sq0csp-{a43}»"),
    ("shopify", "shopify «shpat_{h32}»"),
    // models
    ("anthropic", "claude «sk-ant-api03-{a93}AA» overloaded"),
    ("openai", "gpt «sk-proj-{a80}» overloaded"),
    ("hugging face", "hub download «hf_{a34}»"),
    // monitoring
    ("new relic", "newrelic agent «NRAK-{u27}»"),
    ("grafana", "grafana «glsa_{a32}_{H8}»"),
    ("sentry", "sentry «sntryu_{h64}»"),
    ("dynatrace", "dynatrace «dt0c01.{u24}.{u64}»"),
    // keys and signed things
    ("jwt", "session eyJhbGciOiJIUzI1NiJ9.«eyJ{a40}.{a43}» expired"),
    (
        "private key",
        "loading -----BEGIN RSA PRIVATE KEY-----\n«{a64}»\n«{a64}»\n«{a36}==»\n-----END RSA PRIVATE KEY-----",
    ),
    ("private key on one line", "key=\"-----BEGIN EC PRIVATE KEY-----\\n«{a64}»\\n-----END EC PRIVATE KEY-----\\n\""),
    ("putty key", "Private-Lines: 2\n«{a64}»\n«{a20}»\nPrivate-MAC: {h40}"),
    ("password hash", "shadow root:«$6${a16}${a86}»:19000:0:99999:7:::"),
    ("bcrypt", "user row hash «$2b$12${a53}»"),
    ("ldap hash", "userPassword: «{SSHA}{a32}==»"),
    // where a secret stands
    ("database url", "connecting to postgres://app:«{a14}»@db/main"),
    ("url password", "amqp://guest:«{a12}»@mq:5672 refused"),
    ("url token", "clone https://«{a40}»@github.com/x/y.git"),
    ("basic authorization", "Authorization: Basic «{a28}»"),
    ("bearer", "proxy sent Authorization: Bearer «{a24}»"),
    ("digest", "Authorization: Digest username=\"bob\", response=\"«{h32}»\""),
    ("api key header", "X-Api-Key: «{a20}»"),
    ("cookie", "Cookie: sid=«{a24}»; theme=dark"),
    ("set-cookie", "Set-Cookie: PHPSESSID=«{l26}»; path=/; HttpOnly"),
    ("session in a url", "GET /?PHPSESSID=«{l26}»"),
    ("curl user", "COMMAND=/usr/bin/curl -u bob:«{a14}» https://x"),
    ("mysql flag", "COMMAND=/usr/bin/mysql -u root -p«{a14}» db"),
    ("password flag", "java -jar x --db-password «{a14}» -v"),
    ("sql", "CREATE USER bob IDENTIFIED BY '«{a14}»'"),
    ("smtp auth", "client said AUTH PLAIN «{a20}»"),
    ("ftp password", "ftp command: Client \"10.0.0.1\", \"PASS «{a14}»\""),
    ("redis auth", "1.2 [0 10.0.0.1:1] \"AUTH\" \"«{a14}»\""),
    ("xml", "<ns:Password>«{a14}»</ns:Password>"),
    ("json password", "{\"user\":\"x\",\"password\":\"«{a14}»\"}"),
    ("form password", "POST /login?user=x&password%3D«{a14}»"),
    ("environment", "DB_PASSWORD=«{a14}» starting"),
    ("client secret", "client_secret => «{a20}»"),
    ("card", "charged card «4111111111111111» twice"),
];

/// One of each kind. `seed` makes other values.
pub fn planted(seed: u64) -> Vec<Planted> {
    KINDS
        .iter()
        .enumerate()
        .map(|(number, (kind, template))| {
            let marked = expand(template, seed.wrapping_mul(1_000).wrapping_add(number as u64));
            let inside = marked.split('«').skip(1).filter_map(|part| part.split_once('»'));
            let secrets = inside.map(|(inside, _)| inside.to_owned()).collect();
            Planted { kind, text: marked.replace(['«', '»'], ""), secrets }
        })
        .collect()
}

impl Planted {
    /// A secret, or half of one, that stands in `text`.
    pub fn seen_in(&self, text: &str) -> Option<&str> {
        self.secrets.iter().find_map(|secret| {
            let (first, second) = secret.split_at(secret.len() / 2);
            [secret.as_str(), first, second].into_iter().find(|piece| piece.len() >= 6 && text.contains(*piece))
        })
    }
}

/// The first secret, or half of one, that stands in any of the texts.
#[track_caller]
pub fn assert_unseen<'a>(planted: &[Planted], place: &str, texts: impl IntoIterator<Item = &'a str>) {
    let mut looked_at = 0;
    for text in texts {
        looked_at += 1;
        for one in planted {
            if let Some(piece) = one.seen_in(text) {
                let at = text.find(piece).unwrap_or(0);
                let around = &text[text.floor_char_boundary(at.saturating_sub(120))..text.ceil_char_boundary(at + 120)];
                panic!("{} stands in {place}: {piece}\n...{around}...", one.kind);
            }
        }
    }
    assert!(looked_at > 0, "no {place} to look at");
}

fn expand(template: &str, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((alphabet, count, behind)) = field(after) else {
            out.push('{');
            rest = after;
            continue;
        };
        for _ in 0..count {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            out.push(char::from(alphabet[(state >> 33) as usize % alphabet.len()]));
        }
        rest = behind;
    }
    out + rest
}

fn field(after: &str) -> Option<(&'static [u8], usize, &str)> {
    let (inside, behind) = after.split_once('}')?;
    let alphabet: &[u8] = match inside.get(..1)? {
        "a" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "l" => b"abcdefghijklmnopqrstuvwxyz0123456789",
        "h" => b"0123456789abcdef",
        "H" => b"0123456789ABCDEF",
        "u" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        "d" => b"123456789",
        _ => return None,
    };
    Some((alphabet, inside.get(1..)?.parse().ok()?, behind))
}
