"""Moments, durations and windows: when was it, and how sure are we?"""
