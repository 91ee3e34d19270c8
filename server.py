"""WSGI entry point: `gunicorn server:app`."""

import gc
import sys

from ivig_fhir.problems import Problem
from ivig_fhir.service.app import create_app
from ivig_fhir.service.operations import log_as_json

log_as_json()
try:
    app = create_app()
except Problem as stopped:
    sys.exit(f"ivig-fhir does not start:\n{stopped}")
gc.collect()
gc.freeze()  # what is loaded lives as long as the process: no collection looks at it again, and workers share it
