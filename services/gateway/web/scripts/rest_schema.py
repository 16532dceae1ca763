"""The models of the REST routes the page calls, as JSON: input of `npm run wire`."""

import json
import sys

from fastapi import FastAPI
from gateway.routes import routers
from ingest.routes import ROUTERS

app = FastAPI()
for router in (*routers(), *ROUTERS):
    app.include_router(router)

json.dump(app.openapi()["components"]["schemas"], sys.stdout)
