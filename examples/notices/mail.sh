#!/bin/sh
# Mails the owner before the namespace expires, if the name of the owner is an address: SMTP_URL,
# such as smtp://mail.example.com, and MAIL_FROM.
set -eu
case $TYPE in *.expiring.*) ;; *) exit 0 ;; esac
case $OWNER in
*[!A-Za-z0-9._+@-]* | -* | @* | *@ | *@*@*) exit 0 ;; # a line break would begin another header
*@*) ;;
*) exit 0 ;;
esac
curl --silent --show-error --url "$SMTP_URL" --mail-from "$MAIL_FROM" --mail-rcpt "$OWNER" --upload-file - <<MAIL
From: $MAIL_FROM
To: $OWNER
Subject: Namespace $NAMESPACE expires at $EXPIRES
Message-ID: <$ID@tenama>

To keep it, run: kubectl tenama extend $NAMESPACE
MAIL
