"""chassis"""
