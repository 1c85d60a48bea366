#!/bin/sh
# Posts a line to an incoming webhook of Mattermost, Slack or Rocket.Chat: CHAT_URL.
set -eu
case $TYPE in
*.created.*) text="$NAMESPACE was created for $OWNER, until ${EXPIRES:-it is deleted}" ;;
*.expiring.*) text="$NAMESPACE of $OWNER expires at $EXPIRES; to keep it: kubectl tenama extend $NAMESPACE" ;;
*.deleted.*) text="$NAMESPACE of $OWNER is gone" ;;
*) exit 0 ;;
esac
jq -n --arg text "$text" '{$text}' | curl --silent --show-error --fail --json @- "$CHAT_URL"
