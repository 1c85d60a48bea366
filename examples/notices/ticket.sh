#!/bin/sh
# Opens an issue in GitLab before a namespace expires: GITLAB_URL, PROJECT and GITLAB_TOKEN.
set -eu
case $TYPE in *.expiring.*) ;; *) exit 0 ;; esac
printf 'PRIVATE-TOKEN: %s\n' "$GITLAB_TOKEN" | curl --silent --show-error --fail --header @- \
  --data-urlencode "title=Namespace $NAMESPACE of $OWNER expires at $EXPIRES" \
  --data-urlencode "description=$ID" --data-urlencode "labels=tenama" \
  "$GITLAB_URL/api/v4/projects/$PROJECT/issues"
