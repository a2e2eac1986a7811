//! Servers and files the tests talk to. Servers enforce the contract of what they stand for.
