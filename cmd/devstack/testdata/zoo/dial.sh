#!/bin/bash
# A dependent: connects to its dependency the moment it is launched, and fails if it is refused.
exec 3<>"/dev/tcp/127.0.0.1/$PORT"
