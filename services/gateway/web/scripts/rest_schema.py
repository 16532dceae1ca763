"""The models of the REST routes the page calls, as JSON: input of `npm run wire`."""

import json
import sys

from build_artifacts.routes import router as artifacts
from build_gateway.routes import routers
from build_history.routes import router as history
from build_ingest.routes import ROUTERS
from build_notifier.routes import router as notifications
from fastapi import FastAPI

app = FastAPI()
for router in (*routers(), *ROUTERS, artifacts, history, notifications):
    app.include_router(router)

json.dump(app.openapi()["components"]["schemas"], sys.stdout)
