"""What tests of several packages share: real servers, stacks of services, stores, a browser. In no release."""
