#!/bin/sh
# Puts the app's secrets into the vault and has the app read them. azd runs this after it made the resources; running it
# again changes nothing that is there. A secret never appears on a command line.
set -eu

secret_name() { printf '%s' "$1" | tr 'A-Z_' 'a-z-'; }

in_vault() {
    az keyvault secret show --vault-name "$KEY_VAULT_NAME" --name "$(secret_name "$1")" --query id --output tsv >/dev/null 2>&1
}

put() {
    printf '%s' "$2" | az keyvault secret set --vault-name "$KEY_VAULT_NAME" --name "$(secret_name "$1")" \
        --file /dev/stdin --encoding utf-8 --output none
    echo "  $1: stored as $(secret_name "$1")"
}

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

ask() {
    printf '  %s (empty: later): ' "$1" >&2
    trap 'stty echo; exit 130' INT TERM
    stty -echo
    read -r answer || answer=
    stty echo
    echo >&2
    printf '%s' "$answer"
}

command -v az >/dev/null || { echo "The Azure CLI (az) is needed to store the secrets. Install it and run this again: $0" >&2; exit 1; }

# Rights that were given a moment ago take a while to count.
tries=0
until az keyvault secret list --vault-name "$KEY_VAULT_NAME" --maxresults 1 --output none 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt "${VAULT_TRIES:-20}" ] || { echo "No right to read the secrets of $KEY_VAULT_NAME, or az is not signed in: az login" >&2; exit 1; }
    sleep "${VAULT_WAIT:-15}"
done

missing=
echo "Secrets in $KEY_VAULT_NAME:"
for setting in $(printf '%s' "$SECRET_SETTINGS" | tr ',' ' '); do
    given=$(printenv "$setting" || true)
    if [ -n "$given" ]; then
        put "$setting" "$given"
    elif in_vault "$setting"; then
        echo "  $setting: is there"
    elif [ "$setting" = ADO_WEBHOOK_SECRET ]; then
        put "$setting" "$(random)"
    else
        if [ -t 0 ]; then given=$(ask "$setting"); fi
        if [ -n "$given" ]; then put "$setting" "$given"; else missing="$missing $setting"; fi
    fi
done

# Without this the app would go on with what it read before, for up to a day; somebody may have stored one by hand.
az rest --method post --output none \
    --url "https://management.azure.com$FUNCTION_APP_ID/config/configreferences/appsettings/refresh?api-version=2022-03-01"

for setting in $missing; do
    echo "  $setting: missing. Give it: az keyvault secret set --vault-name $KEY_VAULT_NAME --name $(secret_name "$setting") --file FILE"
done
cat <<END

Next, in this order:
  1. In Azure DevOps, add the app's identity $IDENTITY_NAME as a user (object id $IDENTITY_OBJECT_ID).
  2. In Sentry, make an internal integration with this webhook:  $SENTRY_WEBHOOK_URL
  3. Store the organization's document, and subscribe Azure DevOps to:  $ADO_WEBHOOK_URL
docs/deploy.md says each in full. ORGANIZATION is your own short name for the connected pair.
END
