"""Purchase intent: will this person buy this item before the horizon ends?"""
