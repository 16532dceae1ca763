"""Test history: how each test went over a lane's newest builds."""
