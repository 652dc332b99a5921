-- Run once by the Postgres image, when its volume is empty: the two roles and
-- the database that the program expects (README, section Settings). The
-- passwords are read from the files in which the program itself finds them.
\set ON_ERROR_STOP on
\set owner_password `cut -d: -f5 /run/secrets/owner_pgpass`
\set program_password `cut -d: -f5 /run/secrets/program_pgpass`
CREATE ROLE wavekeeper_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE wavekeeper LOGIN PASSWORD :'program_password';
CREATE DATABASE wavekeeper OWNER wavekeeper_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE wavekeeper FROM PUBLIC;
GRANT CONNECT ON DATABASE wavekeeper TO wavekeeper;
