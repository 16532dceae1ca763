"""The models of the REST routes the page calls, as JSON: input of `npm run wire`."""

import json
import sys
from importlib import import_module

from build_embedded.serve import SERVICES
from fastapi import FastAPI

app = FastAPI()
for service in SERVICES:
    # Unchecked: types need no secret.
    settings = import_module(f"build_{service}.settings").Settings.model_construct()
    for router in import_module(f"build_{service}.routes").routers(settings):
        app.include_router(router)

json.dump(app.openapi()["components"]["schemas"], sys.stdout)
