//! How does an alert reach a person? One notifier a file. *Not here:* whether and when (route).
