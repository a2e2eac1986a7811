-- Schema 2: what people said of incidents and kinds of line (normal, anomalous, mute).
CREATE TABLE answers (id INTEGER PRIMARY KEY, json TEXT NOT NULL) STRICT;
