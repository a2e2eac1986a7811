//! The table of redaction rules: data, no code. Token shapes follow the providers' own documentation and the public
//! gitleaks rule set (MIT); what needs a second look names a condition.
//!
//! Secrets come first and are all applied; personal data is then searched, in table order, in what they left.
//! In patterns `\b`, `\d` and `\w` mean ASCII (`scan.rs` rewrites them): cheaper, and no look-alike digits.

use super::rule::Class::{Card, Host, Iban, Ip, Mac, Mail, Opaque, Phone, Secret, SocialSecurity, User};
use super::rule::Condition::{self, Entropy, Token};
use super::rule::{Class, Rule};

/// Between a key and its value: closing quotes or brackets of the key, then `=`, `:`, `=>`, `:=` or an encoded `=`.
macro_rules! assign {
    () => {
        r#"["'\\\]]{0,4}\s{0,3}(?:=>|:=|==|[=:]|%3[dD])\s{0,3}"#
    };
}

/// A value: in escaped quotes, in double quotes, in single quotes, or up to white space. Not one that is a placeholder.
macro_rules! value {
    () => {
        r#"(?:\\+"([^"]+)|"((?:[^"\\]|\\.)+)|\\*'([^']+)|([^\s"'<\\][^\s"']*))"#
    };
}

const fn rule(
    name: &'static str,
    class: Class,
    keywords: &'static [&'static str],
    pattern: &'static str,
    condition: Condition,
) -> Rule {
    Rule { name, class, keywords, pattern, condition }
}

/// A token that its own shape gives away.
const fn token(name: &'static str, keywords: &'static [&'static str], pattern: &'static str) -> Rule {
    rule(name, Secret, keywords, pattern, Condition::None)
}

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    // ---- clouds
    rule("aws-access-token", Secret, &["a3t", "akia", "asia", "abia", "acca"],
        r"\b((?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16})\b", Entropy(2.5)),
    rule("aws-secret-key", Secret, &["aws"],
        r#"(?i)\baws[\w. -]{0,30}["'\\]*\s{0,3}(?:=|:|=>)\s{0,3}["'\\]*([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+]|$)"#, Entropy(3.5)),
    token("aws-session-token", &["iqojb3jpz2lu", "fwogzxivyxdz"], r"\b((?:IQoJb3JpZ2lu|FwoGZXIvYXdz)[A-Za-z0-9%/+=_-]{40,})"),
    token("aws-presigned", &["x-amz-"], r"(?i)\bX-Amz-(?:Signature|Security-Token|Credential)(?:=|%3D)([A-Za-z0-9%/+=._-]{8,})"),
    token("aws-bedrock-key", &["absk"], r"\b(ABSK[A-Za-z0-9+/]{100,}={0,2})"),
    token("gcp-api-key", &["aiza"], r"\b(AIza[\w-]{35})"),
    token("google-auth-key", &["aq."], r"\b(AQ\.[\w-]{20,})"),
    token("google-access-token", &["ya29."], r"\b(ya29\.[\w-]{20,})"),
    token("google-refresh-token", &["1//0"], r"(?:^|[^\w/])(1//0[\w-]{30,})"),
    token("google-client-secret", &["gocspx-"], r"\b(GOCSPX-[\w-]{20,})"),
    token("azure-client-secret", &["q~"], r"(?:^|[^\w~.-])([\w~.]{3}\dQ~[\w~.-]{31,34})"),
    token("azure-account-key", &["accountkey", "accesskey"], r"(?i)(?:AccountKey|SharedAccessKey|AccessKey)\s{0,2}=\s{0,2}([A-Za-z0-9+/]{40,}={0,2})"),
    token("azure-signature", &["sig="], r"(?i)[?&;](?:amp;)?sig=([A-Za-z0-9%/+=_-]{20,})"),
    token("digitalocean", &["dop_v1_", "doo_v1_", "dor_v1_"], r"\b(do[opr]_v1_[a-f0-9]{64})"),
    token("alibaba-access-key", &["ltai"], r"\b(LTAI[A-Za-z0-9]{20})\b"),
    token("tencent-secret-id", &["akid"], r"\b(AKID[A-Za-z0-9]{32})\b"),
    token("yandex", &["aqvn", "ycaj", "t1."], r"\b(AQVN[\w-]{35,38}|YCAJE[\w-]{20,}|t1\.[A-Z0-9a-z_-]{10,}\.[\w-]{60,})"),
    token("cloudflare-origin-key", &["v1.0-"], r"\b(v1\.0-[a-f0-9]{24}-[a-f0-9]{146})"),
    token("heroku", &["hrku-"], r"\b(HRKU-[\w-]{36,})"),
    token("fly", &["fo1_", "fm1r_", "fm1a_", "fm2_"], r"\b(fo1_[\w-]{40,}|fm1[ar]_[A-Za-z0-9+/=]{60,}|fm2_[A-Za-z0-9+/=]{60,})"),
    token("netlify", &["nfp_"], r"\b(nfp_[A-Za-z0-9]{36,})"),
    token("planetscale", &["pscale_"], r"\b(pscale_(?:tkn|pw|oauth)_[\w.=-]{32,})"),
    token("supabase", &["sbp_", "sb_secret_"], r"\b(sbp_[a-f0-9]{40}|sb_secret_[\w-]{20,})"),
    token("databricks", &["dapi"], r"\b(dapi[a-f0-9]{32}(?:-\d)?)\b"),
    token("tailscale", &["tskey-"], r"\b(tskey-[a-z]+-[\w-]{10,})"),
    // ---- code, packages, build
    token("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"\b(gh[pousr]_[0-9A-Za-z]{36,})"),
    token("github-fine-grained", &["github_pat_"], r"\b(github_pat_\w{60,})"),
    token("gitlab-token", &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glimt-", "glagent-", "gloas-", "glffct-", "glwt-"],
        r"\b(gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct|wt)-[\w.-]{20,})"),
    token("bitbucket", &["atbb"], r"\b(ATBB[A-Za-z0-9_=.-]{24,})"),
    token("atlassian", &["atatt3", "atctt3"], r"\b(AT[AC]TT3[A-Za-z0-9_=-]{60,})"),
    token("npm", &["npm_"], r"\b(npm_[A-Za-z0-9]{36})"),
    token("npm-auth", &["_authtoken", "_auth"], r"(?i)_auth(?:Token)?\s{0,2}=\s{0,2}(\S{8,})"),
    token("pypi", &["pypi-"], r"\b(pypi-AgE[A-Za-z0-9_-]{50,})"),
    token("rubygems", &["rubygems_"], r"\b(rubygems_[a-f0-9]{48})"),
    token("crates-io", &["cio"], r"\b(cio[A-Za-z0-9]{32})\b"),
    token("nuget", &["oy2"], r"\b(oy2[a-z0-9]{43})\b"),
    token("docker-hub", &["dckr_pat_", "dckr_oat_"], r"\b(dckr_[po]at_[\w-]{20,})"),
    token("artifactory", &["akcp", "cmvmdgtuoj"], r"\b(AKCp[A-Za-z0-9]{60,}|cmVmdGtuOj[A-Za-z0-9]{54,})"),
    token("terraform-cloud", &["atlasv1"], r"\b([A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,})"),
    token("pulumi", &["pul-"], r"\b(pul-[a-f0-9]{40})"),
    token("postman", &["pmak-"], r"\b(PMAK-[a-f0-9]{24}-[a-f0-9]{34})"),
    token("doppler", &["dp."], r"\b(dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{40,})"),
    token("onepassword", &["ops_eyj", "a3-"], r"\b(ops_eyJ[A-Za-z0-9+/_=-]{60,}|A3-[A-Z0-9]{6}-[A-Z0-9-]{27,})"),
    token("vault", &["hvs.", "hvb.", "hvr."], r"\b(hv[sbr]\.[\w-]{20,})"),
    token("vault-legacy", &["vault", "client_token"], r#"(?i:vault|x-vault-token|client_token)[^\n]{0,40}?\b(s\.[A-Za-z0-9]{24})\b"#),
    token("age-key", &["age-secret-key-1"], r"(?i)\b(AGE-SECRET-KEY-[A-Z0-9-]{20,})"),
    // ---- talk and mail
    token("slack-token", &["xoxa", "xoxb", "xoxc", "xoxd", "xoxe", "xoxo", "xoxp", "xoxr", "xoxs", "xapp-"],
        r"(?i)\b(xox[a-eoprs](?:\.xox[a-z])?-[\w%.-]{10,}|xapp-\d-[\w-]{10,})"),
    token("slack-hook", &["hooks.slack.com"], r"(?i)hooks\.slack\.com/((?:services|workflows|triggers)/[\w/+-]{10,})"),
    token("discord-hook", &["/api/webhooks/", "/api/v"], r"(?i)discord(?:app)?\.com/api/(?:v\d+/)?webhooks/(\d{10,}/[\w-]{20,})"),
    token("discord-token", &["discord", "bot "], r"(?:^|[^\w.-])([MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,})"),
    token("teams-hook", &["webhook.office.com", "logic.azure.com"], r"(?i)(?:webhook\.office|logic\.azure)\.com[^\s/]*(/[^\s]{16,})"),
    token("telegram-bot", &[":aa"], r"(?:^|[^\d])(\d{8,10}:AA[\w-]{33})"),
    token("google-chat-hook", &["chat.googleapis.com"], r"(?i)chat\.googleapis\.com/v1/spaces/[^\s?]+\?(\S{16,})"),
    token("sendgrid", &["sg."], r"\b(SG\.[\w-]{16,32}\.[\w-]{16,64})"),
    token("mailgun", &["key-"], r"\b(key-[a-f0-9]{32})\b"),
    token("mailchimp", &["-us"], r"\b([a-f0-9]{32}-us\d{1,2})\b"),
    token("brevo", &["xkeysib-", "xsmtpsib-"], r"\b(x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16})"),
    token("twilio", &["sk"], r"\b(SK[0-9a-f]{32})\b"),
    token("pagerduty-key", &["events.pagerduty.com", "routing_key", "service_key"], r#"(?i)(?:routing_key|service_key|pagerduty\.com/integration/)["'\\=:/\s]{0,6}([A-Za-z0-9]{24,})"#),
    // ---- money
    token("stripe", &["sk_live", "sk_test", "sk_prod", "rk_live", "rk_test", "rk_prod"], r"\b([sr]k_(?:test|live|prod)_[A-Za-z0-9]{10,})"),
    token("stripe-webhook", &["whsec_"], r"\b(whsec_[A-Za-z0-9+/=]{24,})"),
    token("square", &["sq0", "eaaa"], r"\b(sq0[a-z]{3}-[\w-]{22,}|EAAA[\w-]{60})"),
    token("braintree", &["access_token$"], r"(?i)(access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32})"),
    token("shopify", &["shpat_", "shpss_", "shpca_", "shppa_"], r"(?i)\b(shp(?:at|ss|ca|pa)_[a-f0-9]{32})"),
    token("easypost", &["ezak", "eztk"], r"\b(EZ[AT]K[A-Za-z0-9]{54})"),
    // ---- models
    token("anthropic", &["sk-ant-"], r"\b(sk-ant-[\w-]{16,})"),
    token("openai", &["t3blbkfj"], r"\b(sk-[\w-]{10,}T3BlbkFJ[\w-]{10,})"),
    token("sk-key", &["sk-"], r"(?:^|[^\w-])(sk-(?:proj-|svcacct-|admin-|or-v1-|lf-)?[A-Za-z0-9][\w-]{23,})"),
    token("hugging-face", &["hf_", "api_org_"], r"\b((?:hf|api_org)_[A-Za-z0-9]{30,})"),
    token("replicate", &["r8_"], r"\b(r8_[A-Za-z0-9]{37})"),
    token("groq", &["gsk_"], r"\b(gsk_[A-Za-z0-9]{40,})"),
    token("xai", &["xai-"], r"\b(xai-[A-Za-z0-9]{60,})"),
    token("perplexity", &["pplx-"], r"\b(pplx-[A-Za-z0-9]{32,})"),
    // ---- monitoring and office
    token("new-relic", &["nrak-", "nraa-", "nrii-", "nrjs-"], r"(?i)\b(NR(?:AK|AA|II|JS)-[\w-]{19,})"),
    token("grafana", &["glsa_", "glc_eyj"], r"\b(glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_eyJ[A-Za-z0-9+/=]{30,})"),
    token("sentry", &["sntrys_", "sntryu_"], r"\b(sntrys_eyJ[\w+/=-]{40,}|sntryu_[a-f0-9]{64})"),
    token("dynatrace", &["dt0"], r"\b(dt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64})"),
    token("linear", &["lin_api_", "lin_oauth_"], r"\b(lin_(?:api|oauth)_[A-Za-z0-9]{40,})"),
    token("notion", &["ntn_", "secret_"], r"\b(ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43})\b"),
    token("airtable", &["pat"], r"\b(pat[A-Za-z0-9]{14}\.[a-f0-9]{64})\b"),
    token("figma", &["figd_"], r"\b(figd_[\w-]{40,})"),
    token("typeform", &["tfp_"], r"\b(tfp_[\w.-]{40,})"),
    token("readme-com", &["rdme_"], r"\b(rdme_[a-z0-9]{70})"),
    token("mapbox", &["sk.eyj"], r"\b(sk\.eyJ[\w-]{50,}\.[\w-]{20,})"),
    token("facebook", &["eaa"], r"\b(EAA[A-Za-z0-9]{80,})"),
    // ---- keys and signed things
    token("jwt", &["eyj"], r"\b(ey[JI][\w+/=-]{10,}\.(?:ey[\w+/=-]{6,}|[\w+/=-]{0,})\.[\w+/=.-]{6,})"),
    token("jwt-part", &["eyjhbgci", "eyj0exai", "eyjrawq"], r"\b(eyJ(?:hbGci|0eXAi|raWQi)[\w+/=.-]{16,})"),
    rule("key-body", Secret, &[], r"(?m)^\s{0,40}(?:[A-Z]{3,9}:?\s{1,4})?([A-Za-z0-9+/]{16,76}={0,2})\s{0,40}$", Condition::Random),
    token("password-hash", &["$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$argon2", "$scrypt$", "$pbkdf2", "$apr1$"],
        r"(\$(?:1|2[aby]|5|6|7|y|gy|apr1|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]*)\$[A-Za-z0-9./+=,$*-]{20,})"),
    token("ldap-hash", &["{ssha", "{sha", "{smd5}", "{crypt}"], r"(?i)(\{(?:S?SHA(?:256|512)?|SMD5|CRYPT)\}[A-Za-z0-9./+=$-]{13,})"),
    // ---- where a secret stands
    token("url-userinfo", &["://"], r#"(?i)\b[a-z][a-z0-9+.-]{0,20}://([^\s:/?#@"'<>]*:[^\s/?#"'<>]+)@"#),
    rule("url-token", Secret, &["://"], r#"(?i)\b[a-z][a-z0-9+.-]{0,20}://([^\s:/?#@"'<>]{16,})@"#, Entropy(3.0)),
    token("authorization-basic", &["authorization", "www-authenticate"],
        concat!(r#"(?i)authorization"#, assign!(), r#"["'\\]{0,3}(?:bearer|basic|negotiate|ntlm|token|apikey|api-key|key|hawk|oauth|splunk|sso-key|genie-?key|bot|kerberos)\s+([^\s"'<][^\s"']*)"#)),
    token("authorization-parameters", &["authorization"],
        concat!(r#"(?i)authorization"#, assign!(), r#"["'\\]{0,3}(?:digest|oauth|hawk|mac|signature|aws4-hmac-sha256|scram[\w-]*|gnap|dpop)\s+([^\s<][^\r\n]*)"#)),
    rule("authorization-bare", Secret, &["authorization"],
        concat!(r#"(?i)authorization"#, assign!(), r#"["'\\]{0,3}([^\s"'<,;][^\s"',;]{7,})"#), Token),
    rule("bearer", Secret, &["bearer"], r#"(?i)\bbearer[\s:=]+["'\\]{0,3}([A-Za-z0-9._~+/=-]{12,})"#, Token),
    rule("basic", Secret, &["basic "], r#"(?i)\bbasic\s+([A-Za-z0-9+/]{8,}={0,2})(?:[^A-Za-z0-9+/=]|$)"#, Entropy(3.2)),
    rule("key-header", Secret, &["x-api-key", "x-auth-", "x-vault-", "x-goog-api-key", "x-token", "x-access-token", "x-amz-security", "x-csrf", "x-xsrf", "private-token", "dd-api-key", "api-key", "x-functions-key", "ocp-apim", "x-figma", "job-token"],
        concat!(r#"(?i)(?:x-[a-z-]{0,20}(?:key|token)|x-amz-security-token|(?:private|job|deploy)-token|dd-ap[ip]-?[a-z]*-key|api-key|ocp-apim-subscription-key|x-auth-(?:user|email|secret))"#, assign!(), value!()), Condition::Password),
    token("cookie", &["cookie"], r#"(?i)cookie2?["'\\\]]{0,3}\s{0,3}[=:]\s{0,3}["'\\]{0,3}([^\s=;"'<]{1,80}=[^"'\r\n]*)"#),
    rule("session-id", Secret, &["sessid", "sessionid", "session_id", "session-id", "connect.sid", "session_key", "sessionkey", "session-key", "sid=", "session="],
        concat!(r#"(?i)(?:sessid|session[_-]?(?:id|key)|connect\.sid|\bsid|\bsession)"#, assign!(), value!()), Token),
    rule("curl-user", Secret, &["curl"], r#"(?i)\bcurl\b[^\n|]{0,200}?\s(?:-u|--user|-U|--proxy-user)[\s=]*["']?([^\s"':]+:[^\s"']+)"#, Condition::None),
    rule("mysql-password", Secret, &["mysql", "mariadb", "sshpass", "mongo", "7z"],
        r#"\b(?:mysql[a-z]*|mariadb[a-z-]*|sshpass|mongo[a-z]*|7za?)\b[^\n|]{0,200}?\s-p\s?["']?([^\s"'-][^\s"']*)"#, Condition::None),
    rule("password-flag", Secret, &["--pass", "--pw", "-pass", "--secret", "--token", "--api-key", "--apikey", "--auth", "--client-secret", "--access-key", "--secret-key", "--requirepass", "--proxy-pass"],
        r#"(?i)(?:^|[\s"',\[])--?(?:[a-z0-9]+-){0,4}(?:pass(?:word|wd|phrase)?|pw|secret|token|api-?key|auth|access-key|secret-key|requirepass)(?:["']?\s*,\s*["']|[\s=]+["']?)([^\s"'<-][^\s"']*)"#, Condition::Password),
    token("sql-password", &["identified by", "identified with", "password '", "password \"", "password e'", "set password", "old_password"],
        r#"(?i)\b(?:identified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?|(?:encrypted\s+|with\s+)password\s+E?|set\s+password\b[^'"\n]{0,80}=\s*(?:password|old_password)?\s*\(?\s*)["']([^"'\n]+)"#),
    rule("netrc", Secret, &["login"], r"(?i)\blogin\s+\S+\s+password\s+(\S+)", Condition::Password),
    token("smtp-auth", &["auth plain", "auth login", "auth cram-md5", "auth xoauth2"], r"(?i)\bAUTH\s+(?:PLAIN|LOGIN|CRAM-MD5|XOAUTH2)\s+([A-Za-z0-9+/=]{8,})"),
    rule("ftp-pass", Secret, &["pass "], r#"(?i:ftp|command|cmd|>|"|\])[^\n]{0,40}?\bPASS (\S+)"#, Condition::Password),
    rule("redis-auth", Secret, &["\"auth\""], r#"(?i)"auth"\s+"([^"]+)"(?:\s+"([^"]+)")?"#, Condition::None),
    token("xml-password", &["</"],
        r"(?i)<(?:[a-z0-9_-]{1,30}:)?[a-z0-9_.-]{0,30}(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key)(?:\s[^<>]{0,200})?>([^<>\s][^<>]*)</"),
    rule("one-time-code", Secret, &["otp", "cvv", "cvc", "code", "pin"],
        r#"(?i)\b(?:otp|totp|cvv2?|cvc2?|(?:pin|2fa|mfa|verification|security|login|one[_ -]?time|confirmation|auth)[_ -]?(?:code|pin|password))["'\\]{0,3}\s{0,3}(?:=|:|is)\s{0,3}["'\\]{0,3}(\d{3,8})\b"#, Condition::None),
    rule("password", Secret, &["passw", "passphrase", "passcode", "kennwort", "secret", "contrase"],
        concat!(r#"(?i)(?:passw(?:or)?d|passphrase|passwort|passcode|kennwort|contrase(?:n|ñ)a|secret)(?:[_-]?(?:hash|digest|plain|value|key|access[_-]?key|string|new|old|confirm(?:ation)?|again|\d))?"#, assign!(), value!()), Condition::Password),
    rule("pass", Secret, &["pass", "psk", "pw", "masterauth", "community", "userpassword"],
        concat!(r#"(?i)\b(?:[a-z0-9]+[_.-]){0,6}(?:pass|psk|pw|requirepass|masterauth|community)"#, assign!(), value!()), Condition::Password),
    rule("pwd", Secret, &["pwd"],
        concat!(r#"(?i)\b(?:[a-z0-9]+[_.-]){0,6}[a-z]{0,10}pwd"#, assign!(), r#"["'\\]{0,3}([^\s"'<\\/~][^\s"']*)"#), Condition::Password),
    rule("token", Secret, &["token", "key", "credential", "signature", "hmac"],
        concat!(r#"(?i)(?:token|api[_-]?key|access[_-]?key(?:[_-]?id)?|(?:auth|private|signing|encryption|master|shared|account|license|licence|app|application|service|storage|deploy|consumer)[_-]?key|credentials?|hmac|signature)"#, assign!(), value!()), Token),
    rule("key", Secret, &["key", "auth", "salt", "seed"],
        r#"(?i)\b(?:key|auth|salt|seed)["'\\\]]{0,4}\s{0,3}(?:=>|:=|[=:]|%3d)\s{0,3}["'\\]{0,3}([A-Za-z0-9+/_=.-]{20,})"#, Entropy(3.5)),

    // ---- personal data: in this order, each in what the ones before it left
    rule("mail", Mail, &["@", "%40"], r"(?i)\b([a-z0-9_][a-z0-9._%+-]{0,63}(?:@|%40)(?:[a-z0-9](?:[a-z0-9-]{0,62})\.)+[a-z][a-z0-9-]{1,62})\b", Condition::Mail),
    rule("login-result", User, &[" for "], r"\b(?:Accepted|Failed|Postponed|Partial) [\w/-]{1,40} for (?:invalid user |illegal user )?(\S{1,64}) from ", Condition::UserName),
    rule("sudo", User, &["tty="], r"(?:^|: )\s{0,20}(\S{1,64}) : (?:[^;]{1,80} ; ){0,2}TTY=", Condition::UserName),
    rule("user-key", User, &["user", "logname", "acct", "account", "uname", "usr"],
        r#"(?i)\b(?:r?user(?:name|_?id)?|[a-z]{1,12}[_-]user(?:name)?|ruser|logname|acct|account(?:name)?|uname|usr)["'\\\]]{0,3}\s{0,2}(?:=>|[=:])\s{0,2}["'\\]{0,3}<?([^\s"'\\,;()\[\]<>&|{}]{1,64})"#, Condition::UserName),
    rule("login-key", User, &["login"], r#"(?i)(?:["']login["']\s{0,2}:\s{0,2}["']|\blogin=["'<]?)([^\s"'\\,;()\[\]<>&|{}]{1,64})"#, Condition::UserName),
    rule("user-word", User, &["user"],
        r#"(?i)\b(?:for|by|of|as|from|to|invalid|illegal|unknown|remote|local|authenticating|new|delete|deleted|removed|lock|locked|unlock|switching to|behalf of|password for) user:? ["'`]?([^\s"'`,;:()\[\]<>]{1,64})"#, Condition::UserName),
    rule("user-quoted", User, &["user", "role"], r#"(?i)\b(?:user|role|login|account) ["'`]([^\s"'`]{1,64})["'`]"#, Condition::UserName),
    rule("user-by", User, &["(uid="], r"(?i)\b(?:by|user) ([^\s(]{1,64})\(uid=", Condition::UserName),
    rule("user-logged", User, &["logged", "signed"], r"(?i)\buser ([^\s,;:()]{1,64}) (?:has )?(?:logged|signed) (?:in|out|on|off)\b", Condition::UserName),
    rule("user-su", User, &["(to "], r"\(to ([^\s()]{1,64})\) ([^\s()]{1,64}) on ", Condition::UserName),
    rule("user-cron", User, &["cmd (", "list (", "edit (", "reload (", "replace ("], r"\(([^\s()]{1,64})\) (?:CMD|LIST|BEGIN EDIT|END EDIT|RELOAD|REPLACE) \(", Condition::UserName),
    rule("user-account", User, &["name="], r"(?i)\bnew (?:user|group|account):? name=([^\s,;]{1,64})", Condition::UserName),
    rule("user-changed", User, &["changed for", "changed by", "expired for"], r#"(?i)\b(?:changed|expired) (?:for|by) (?:user )?["'`]?([^\s"'`,;()]{1,64})"#, Condition::UserName),
    rule("user-group", User, &["to group", "from group", "to shadow group"], r#"(?i)\b(?:add|added|delete|deleted|remove|removed) ["'`]([^\s"'`]{1,64})["'`] (?:to|from) (?:shadow )?group"#, Condition::UserName),
    rule("user-home", User, &["/home/", "/users/", "\\users\\"], r#"(?i)(?:/home/|/users/|[a-z]:\\{1,4}users\\{1,4})([^\s/\\"':;,<>()\[\]]{1,64})"#, Condition::UserName),
    rule("user-at", User, &["@"], r#"(?i)\b(?:ssh|scp|sftp|rsync|from|for|as|login|su|user)\s+(?:-\S+\s+){0,3}([a-z_][\w.-]{0,31})@[\w.-]"#, Condition::UserName),
    rule("user-sql", User, &["'@'", "`@`"], r#"['`]([^\s'`@]{1,64})['`]@['`]"#, Condition::UserName),
    rule("url-user", User, &["://"], r#"(?i)\b[a-z][a-z0-9+.-]{0,20}://([^\s:/?#@"'<>]{1,64})@"#, Condition::UserName),
    rule("iban", Iban, &[], r"\b([A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)\b", Condition::Iban),
    rule("card", Card, &[], r"\b(\d(?:[ -]?\d){12,18})\b", Condition::Card),
    rule("mac", Mac, &[":", "-"], r"(?i)\b([0-9a-f]{2}(?:(?::[0-9a-f]{2}){5,19}|(?:-[0-9a-f]{2}){5,7}))\b", Condition::None),
    rule("mac-cisco", Mac, &["."], r"(?i)\b([0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})\b", Condition::None),
    rule("ipv6", Ip, &[":"], r"([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:\.\d{1,3}){0,3})", Condition::Ipv6),
    rule("ipv4", Ip, &["."], r"\b(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})", Condition::Ipv4),
    rule("ipv4-dashed", Host, &["ip-"], r"\b(ip-\d{1,3}-\d{1,3}-\d{1,3}-\d{1,3}[\w.-]*)", Condition::None),
    rule("url-host", Host, &["://"], r#"(?i)\b[a-z][a-z0-9+.-]{0,20}://(?:[^\s/@"']{1,200}@)?([a-z0-9_][\w.-]{0,252})"#, Condition::HostName),
    rule("host-key", Host, &["host", "node", "helo", "ehlo", "server"],
        r#"(?i)\b(?:r?host(?:name)?|remote[_-]?host|server[_-]?name|vhost|node(?:name)?|helo|ehlo)["'\\\]]{0,3}\s{0,2}[=:]\s{0,2}["'\\]{0,3}<?([a-z0-9_][\w.-]{0,252})"#, Condition::HostName),
    rule("host-word", Host, &["host", "helo", "ehlo"], r#"(?i)\b(?:to|from|on|at|of|remote|unknown|resolve) host:? ["'`]?([a-z0-9_][\w.-]{0,252})|\b(?:HELO|EHLO) ([a-z0-9_][\w.-]{0,252})"#, Condition::HostName),
    rule("host-sql", Host, &["'@'", "`@`"], r#"['`]@['`]([\w.-]{1,252})['`]"#, Condition::HostName),
    rule("domain", Host, &["."], r"([A-Za-z0-9_][\w.-]*\.[A-Za-z][\w-]+)", Condition::Domain),
    rule("ssn", SocialSecurity, &["-"], r"\b(\d{3}-\d{2}-\d{4})\b", Condition::None),
    rule("phone", Phone, &["+", "(", "-"], r"(?:^|[^\w.+-])(\+\d[\d ().-]{6,20}\d|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})\b", Condition::Phone),
    rule("phone-key", Phone, &["phone", "tel", "mobile", "msisdn", "fax"], r#"(?i)\b(?:tele)?(?:phone|tel|mobile|msisdn|fax)(?:[_ -]?(?:no|number|nr))?["'\\.]{0,3}\s{0,2}[=:]\s{0,2}["'\\]{0,3}(\+?\d[\d ()/.-]{5,20}\d)"#, Condition::Phone),
    rule("high-entropy", Opaque, &[], r"(?:^|[^\w/+-])([\w+/-]{32,}={0,2})", Condition::Random),
];
