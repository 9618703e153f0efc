"""Small processes that verify tokens with real libraries and their own caches, so that a rotation can be measured."""
