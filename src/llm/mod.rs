//! How is a model reached? One backend a file, over HTTPS. *Not here:* what to ask (judge).
