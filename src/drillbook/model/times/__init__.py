"""Moments, durations and windows: when did it happen, and how sure are we?"""
