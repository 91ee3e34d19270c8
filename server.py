"""WSGI entry point: `gunicorn server:app`."""

import sys

from ivig_fhir.problems import Problem
from ivig_fhir.service.app import create_app

try:
    app = create_app()
except Problem as stopped:
    sys.exit(f"ivig-fhir does not start:\n{stopped}")
