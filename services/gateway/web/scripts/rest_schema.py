"""The models of the REST routes the page calls, as JSON: input of `npm run wire`."""

import json
import sys

import build_artifacts.routes
import build_gateway.routes
import build_gateway.settings
import build_history.routes
import build_history.settings
import build_ingest.routes
import build_ingest.settings
import build_notifier.routes
import build_notifier.settings
from fastapi import FastAPI

app = FastAPI()
for router in (
    # Unchecked: types need no secret.
    *build_gateway.routes.routers(build_gateway.settings.Settings.model_construct()),
    *build_ingest.routes.routers(build_ingest.settings.Settings()),
    build_artifacts.routes.router,
    *build_history.routes.routers(build_history.settings.Settings()),
    *build_notifier.routes.routers(build_notifier.settings.Settings()),
):
    app.include_router(router)

json.dump(app.openapi()["components"]["schemas"], sys.stdout)
