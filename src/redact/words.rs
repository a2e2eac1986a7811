//! Word lists of the conditions: what a value may be without being a secret, a person or a host. Data only.

/// Words after `password:` that are no password.
pub(super) const NO_PASSWORDS: &[&str] = &[
    "yes", "no", "true", "false", "null", "nil", "none", "empty", "set", "unset", "undefined", "not", "is", "was",
    "for", "required", "optional", "needed", "missing", "invalid", "valid", "incorrect", "correct", "wrong",
    "expired", "unknown", "denied", "failed", "failure", "failures", "fail", "rejected", "accepted", "error",
    "mismatch", "match", "changed", "change", "updated", "reset", "auth", "authentication", "chauthtok", "authtok",
    "prompt", "hidden", "redacted", "masked", "removed", "omitted", "filtered", "secret", "password", "passwd",
    "token", "key", "enabled", "disabled", "ok", "user", "the", "a", "attempts", "attempt", "too", "cannot", "could",
    "unexpected", "found", "used", "using", "check", "file", "with", "at", "in", "on",
];
/// Accounts that say nothing of a person.
pub(super) const SYSTEM_ACCOUNTS: &[&str] = &[
    "root", "nobody", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "uucp", "proxy",
    "www-data", "backup", "list", "irc", "gnats", "messagebus", "dbus", "syslog", "sshd", "ntp", "chrony", "_chrony",
    "_apt", "apt", "postfix", "dovecot", "dovenull", "postgres", "mysql", "mariadb", "redis", "mongodb", "nginx",
    "apache", "httpd", "haproxy", "bind", "named", "unbound", "polkitd", "polkituser", "rtkit", "avahi", "colord",
    "gdm", "lightdm", "sddm", "tss", "uuidd", "nm-openvpn", "openvpn", "snmp", "zabbix", "prometheus", "grafana",
    "elasticsearch", "logstash", "kibana", "rabbitmq", "etcd", "docker", "containerd", "git", "gitlab-runner",
    "jenkins", "tomcat", "ftp", "anonymous", "admin", "administrator", "guest", "test", "oracle", "ubuntu", "debian",
    "centos", "ec2-user", "pi", "support", "operator", "user", "system", "adm", "wheel", "sudo", "logwren", "vagrant",
    "ansible", "nagios", "cron", "crontab", "halt", "shutdown", "rpc", "statd", "sa",
];
/// Words after `user` that are no login name.
pub(super) const NO_NAMES: &[&str] = &[
    "is", "was", "not", "in", "on", "to", "from", "the", "a", "an", "and", "or", "of", "for", "with", "by", "at",
    "has", "have", "unknown", "failed", "null", "none", "true", "false", "yes", "no", "session", "sessions", "slice",
    "manager", "runtime", "service", "services", "instance", "id", "name", "named", "does", "found", "login",
    "account", "accounts", "input", "agent", "data", "space", "mode", "error", "request", "requests", "process",
    "processes", "program", "group", "lookup", "added", "created", "deleted", "removed", "invalid", "password",
    "shell", "home", "only", "lib", "logged", "authentication", "authorization", "connection", "successfully",
    "success", "successful", "denied", "database", "files", "limit",
];
/// Endings of systemd units: `getty@tty1.service` is no mailbox.
pub(super) const UNITS: &[&str] = &[
    "service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope",
];
/// Endings that resolve inside only (RFC 6762 appendix G, RFC 2606, RFC 8375).
pub(super) const INSIDE: &[&str] = &[
    "local", "lan", "localdomain", "internal", "intranet", "corp", "private", "home", "arpa", "svc", "consul", "test",
    "example", "invalid", "onion",
];
/// Endings of public names that are no usual file ending.
pub(super) const ENDINGS: &[&str] = &[
    "com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "io", "dev", "app", "cloud", "ai", "xyz",
    "online", "site", "tech", "store", "blog", "eu", "asia", "global", "systems", "network", "services", "solutions",
    "hosting", "email", "agency", "software", "space", "live", "club", "shop", "top", "pro", "name", "mobi", "world",
    "today", "digital", "company", "group", "team", "works", "codes", "zone", "tv", "fm", "de", "fr", "uk", "us",
    "ca", "au", "nl", "ch", "se", "dk", "fi", "cz", "ru", "ua", "cn", "jp", "kr", "br", "mx", "ar", "za", "tr", "gr",
    "pt", "ro", "hu", "ie", "il", "nz", "sg", "hk", "tw", "th", "vn", "ir", "es", "lt", "lv", "ee", "sk", "si", "hr",
    "bg", "by", "kz", "lu", "ae", "sa", "eg", "ng", "ke", "ma", "cl", "co", "pe", "uy", "ve", "ph", "bd", "lk", "np",
    "gg", "im", "je", "ly", "ms", "nu", "ws", "ba", "al", "mk",
];
/// Endings of public names that files or words also have: they need a third label.
pub(super) const FILE_LIKE_ENDINGS: &[&str] = &[
    "py", "rs", "sh", "so", "pl", "md", "ps", "pm", "cc", "ml", "st", "la", "in", "is", "it", "to", "no", "do", "me",
    "my", "id", "be", "at", "am", "as", "gs", "mo", "db", "pk", "rw", "tf", "zip", "mov",
];
/// First words of Java and D-Bus names: `com.example.app` is no host.
pub(super) const PACKAGE_ROOTS: &[&str] = &[
    "com", "org", "net", "io", "edu", "gov", "java", "javax", "jakarta", "sun", "jdk", "kotlin", "scala", "android",
    "dev", "de", "system", "microsoft",
];
/// First words of expressions: `log.info` is no host.
pub(super) const PROGRAM_WORDS: &[&str] = &[
    "log", "logger", "logging", "console", "config", "settings", "os", "sys", "self", "this", "app", "node", "socket",
    "http", "asp", "process",
];
