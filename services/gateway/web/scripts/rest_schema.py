"""The models of the REST routes the page calls, as JSON: input of `npm run wire`."""

import json
import sys

from artifacts.routes import router as artifacts
from fastapi import FastAPI
from gateway.routes import routers
from history.routes import router as history
from ingest.routes import ROUTERS
from notifier.routes import router as notifications

app = FastAPI()
for router in (*routers(), *ROUTERS, artifacts, history, notifications):
    app.include_router(router)

json.dump(app.openapi()["components"]["schemas"], sys.stdout)
