//! Our own log events: journald as a service, stderr otherwise.
