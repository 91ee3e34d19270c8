#!/bin/sh
# A patient with CIDP, and prednisone about to be signed.
curl -s -H 'Content-Type: application/json' --data @"$(dirname "$0")/cidp-prednisone.json" \
  "${SERVICE_URL:-http://127.0.0.1:8080}/cds-services/ivig-order-sign"
