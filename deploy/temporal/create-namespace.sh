#!/bin/sh
# Registers the namespace that runs live in, where it is not there yet. Wants the Temporal CLI on PATH and TEMPORAL_ADDRESS,
# TEMPORAL_NAMESPACE, TEMPORAL_RETENTION (how long the history of an ended run is kept).
set -eu

tries=60
until temporal operator cluster health >/dev/null 2>&1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "Temporal at $TEMPORAL_ADDRESS does not answer." >&2; exit 1; }
  sleep 1
done
if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$TEMPORAL_RETENTION"
fi
# Who has just registered it may not see it yet.
until temporal workflow list --namespace "$TEMPORAL_NAMESPACE" --limit 1 >/dev/null 2>&1; do
  tries=$((tries - 1))
  [ "$tries" -gt 0 ] || { echo "The namespace $TEMPORAL_NAMESPACE can not be read." >&2; exit 1; }
  sleep 1
done
