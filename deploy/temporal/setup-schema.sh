#!/bin/sh
# Brings Temporal's two databases to the schema of its version; run again it changes nothing.
# Wants temporal-sql-tool on PATH and SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD.
set -eu
schemas=${TEMPORAL_SCHEMA_FOLDER:-/etc/temporal/schema/postgresql/v12}

for pair in temporal:temporal temporal_visibility:visibility; do
  export SQL_DATABASE="${pair%%:*}"
  temporal-sql-tool setup-schema --version 0.0
  temporal-sql-tool update-schema --schema-dir "$schemas/${pair##*:}/versioned"
done
