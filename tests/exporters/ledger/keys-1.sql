-- A key ledger as version 1 wrote it: one issuer, one region, a key that signs and one that has left the set.
CREATE TABLE keys (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    kid TEXT NOT NULL,
    kty TEXT NOT NULL,
    alg TEXT NOT NULL,
    use TEXT NOT NULL,
    crv TEXT NOT NULL,
    bits INTEGER NOT NULL,
    exposed INTEGER,
    first_token INTEGER,
    last_token INTEGER,
    expires INTEGER,
    lifetime REAL,  -- seconds
    PRIMARY KEY (issuer, url, thumbprint)
) STRICT;
CREATE TABLE sights (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    region TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    after INTEGER,
    gone INTEGER,
    PRIMARY KEY (issuer, url, thumbprint, region)
) STRICT;
CREATE TABLE watches (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    region TEXT NOT NULL,
    last INTEGER NOT NULL,
    interval REAL NOT NULL,  -- seconds
    PRIMARY KEY (issuer, url, region)
) STRICT;
CREATE TABLE events (
    issuer TEXT NOT NULL,
    url TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    kid TEXT NOT NULL,
    kty TEXT NOT NULL,
    alg TEXT NOT NULL,
    region TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_issuers ON events (issuer, url, at);
PRAGMA user_version = 1;
INSERT INTO keys VALUES
    ('acme', 'https://login.acme.example', 'thumbprint-of-old', 'old', 'RSA', 'RS256', 'sig', '', 2048, NULL,
     1772366400000000, 1772366400000000, 1772366700000000, 300.0),
    ('acme', 'https://login.acme.example', 'thumbprint-of-new', 'new', 'EC', 'ES256', 'sig', 'P-256', 0, NULL,
     NULL, NULL, NULL, NULL);
INSERT INTO sights VALUES
    ('acme', 'https://login.acme.example', 'thumbprint-of-old', 'eu', 1772366400000000, 1772366400000000, NULL, NULL),
    ('acme', 'https://login.acme.example', 'thumbprint-of-new', 'eu', 1772366400000000, 1772366400000000, NULL, NULL);
INSERT INTO watches VALUES ('acme', 'https://login.acme.example', 'eu', 1772366400000000, 15.0);
INSERT INTO events VALUES
    ('acme', 'https://login.acme.example', 1772366400000000, 'found', 'thumbprint-of-old', 'old', 'RSA', 'RS256', 'eu');
