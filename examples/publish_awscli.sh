#!/bin/sh
# Publishes a named increment with the AWS command line: the JSON contract, and nothing of Tally.
#
#     sh examples/publish_awscli.sh page:home order-17 [AMOUNT]
#
# An increment with an id and its `at` counts once, however often it is sent. So after an error, or
# in doubt, run it again with the same id, soon: it is stamped anew, and the counter knows an id for
# a day, or for some 105,000 others.
set -eu
LC_ALL=C && export LC_ALL # A-Z are these 26 letters

usage() {
    echo "publish_awscli.sh: $1" >&2
    echo "usage: publish_awscli.sh COUNTER ID [AMOUNT]" >&2
    exit 2
}

[ $# -ge 2 ] && [ $# -le 3 ] || usage "needs a counter and an id"
counter=$1 id=$2 amount=${3-1}

# A shell quotes no JSON: what would have to be quoted is refused.
case $counter$id in
*[!A-Za-z0-9:._/#@+-]*) usage "counter and id are of A-Z a-z 0-9 : . _ / # @ + -" ;;
esac
expr "x$amount" : 'x-\{0,1\}[1-9][0-9]*$' >/dev/null || usage "an amount is a whole number, and not 0"

# When it happened, in ms. %3N is GNU's: where it is not 13 digits, whole seconds have to do.
at=$(date +%s%3N)
expr "x$at" : 'x[0-9]\{13\}$' >/dev/null || at=$(date +%s)000

# Version 1 has another endpoint for SQS of its own, and is told of this one only so (aws-cli#8737).
AWS_PAGER='' aws ${AWS_ENDPOINT_URL_SQS:+--endpoint-url "$AWS_ENDPOINT_URL_SQS"} sqs send-message \
    --queue-url "$SQS_QUEUE_URL" --query MessageId --output text \
    --message-body "{\"counter\": \"$counter\", \"id\": \"$id\", \"amount\": $amount, \"at\": $at}"
