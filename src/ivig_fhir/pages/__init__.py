"""The module to look at: content -> view models -> HTML. Pure; only service and publishing write what it makes."""
