#!/bin/sh
# One role and its databases for Temporal, one for Tollgate's store. The Postgres image runs it once, on an empty volume.
set -eu

psql --no-psqlrc --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv temporal_password TEMPORAL_DB_PASSWORD
\getenv tollgate_password TOLLGATE_DB_PASSWORD
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE ROLE tollgate LOGIN PASSWORD :'tollgate_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE tollgate OWNER tollgate;
REVOKE CONNECT ON DATABASE temporal, temporal_visibility, tollgate FROM PUBLIC;
SQL
