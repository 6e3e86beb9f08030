#!/usr/bin/env bash
# From a recipe to a signed, compared release, in any pipeline: export, verify, compare with the last release, sign, and
# say what came of it in one comment. The templates beside this file only set variables and caches.
#
# Run it in the repository that holds the recipe. Exit codes are the exporter's own: those of the export and of `verify`,
# of `diff` (1: worse than the last release; 2: cannot be compared) and of `sign`; 4: the exporter could not be installed.
# What the forge answers to the comment changes none of them. It wants bash, GNU's coreutils and Python 3.11.
#
#   EXPORTER_RECIPE        the recipe's file
#   EXPORTER_OVERRIDES     options laid over it, one key=value a line
#   EXPORTER_PICTURES      shipped: calibrated and judged by the exporter's own photographs, not by the recipe's `data`
#   EXPORTER_MAX_LOSS_DB, EXPORTER_MAX_SLOWER, EXPORTER_MAX_BIGGER     limits of the comparison; those of `diff` without
#   EXPORTER_BASELINE      the bundle to compare with, a folder; `none`: with nothing. Without it the forge's last release
#   EXPORTER_KEY_FILE      the private key, a file; or EXPORTER_KEY, the key itself. Without either nothing is signed
#   EXPORTER_PUBLIC_KEY    the file of the public key that has to fit
#   EXPORTER_FORGE, EXPORTER_API, EXPORTER_REPOSITORY, EXPORTER_REQUEST, EXPORTER_TOKEN     see forge.py; the comment
#   EXPORTER_COMMIT, EXPORTER_RUN                                      named at the comment's end: a commit, an address
#   EXPORTER_SUMMARY       a file that the comment is written to the end of, too
#   EXPORTER_BUILD         where stages are kept for the next run: build
#   EXPORTER_OUT           what the pipeline keeps: release (release/dist/NAME-VERSION, comment.md, diff.html, logs)
#   EXPORTER_ENVIRONMENT   where the exporter is installed, kept for the next run: .exporter-environment
#   EXPORTER_PYTHON        what it is made with: python3.11; EXPORTER_EXTRAS: what is installed: export,signing
#   EXPORTER               an exporter that is installed already, in place of these three
{ set +x; } 2>/dev/null # what traces commands would print the key
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${EXPORTER_OUT:-release}
build=${EXPORTER_BUILD:-build}
code=0       # of the last attempt
python=''    # of the environment
exporter=''  # the command
scratch=''   # for the key and the last release

# A network of the recipe's own runs as we do: it is given no key and no token.
key=${EXPORTER_KEY-}
key_file=${EXPORTER_KEY_FILE-}
token=${EXPORTER_TOKEN-}
job_token=${CI_JOB_TOKEN-}
unset EXPORTER_KEY EXPORTER_KEY_FILE EXPORTER_TOKEN CI_JOB_TOKEN

main() {
    [[ -n ${EXPORTER_RECIPE-} ]] || { echo 'EXPORTER_RECIPE is not set: which recipe?' >&2; exit 2; }
    mkdir -p "$out"
    rm -rf "$out/dist" "$out"/{comment.md,diff.md,diff.html} "$out"/*.log
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    environment
    export_recipe
    verify
    compare
    sign
    finish 0
}

# The exporter, installed where the pipeline's cache keeps it; pip runs again when what it would install has changed.
environment() {
    if [[ -n ${EXPORTER-} ]]; then
        exporter=$EXPORTER
        python=${EXPORTER_PYTHON:-python3}
        return
    fi
    local folder=${EXPORTER_ENVIRONMENT:-.exporter-environment} extras=${EXPORTER_EXTRAS:-export,signing} stamp
    python=$folder/bin/python
    exporter=$folder/bin/exporter
    step "environment: $folder"
    if ! "$python" -c '' 2>/dev/null && ! "${EXPORTER_PYTHON:-python3.11}" -m venv --clear "$folder"; then
        echo "No environment could be made with ${EXPORTER_PYTHON:-python3.11}: EXPORTER_PYTHON names another." >&2
        exit 4
    fi
    stamp="$("$python" -V) $extras $root $(cat "$root"/{pyproject.toml,constraints.txt} | sha256sum)"
    if [[ $(cat "$folder/.exporter" 2>/dev/null) != "$stamp" ]]; then
        attempt install "$python" -m pip install --quiet --disable-pip-version-check --no-compile \
            --constraint "$root/constraints.txt" --editable "${root}[$extras]"
        ((code == 0)) || stop '⚠️ The exporter could not be installed' install 4
        echo "$stamp" >"$folder/.exporter"
    fi
    "$exporter" --version
}

export_recipe() {
    local words=()
    if [[ ${EXPORTER_PICTURES-} == shipped ]]; then
        words+=("data.calibration=$root/calibration/photos_256" "data.evaluation=$root/calibration/evaluation_256")
    fi
    while IFS= read -r line; do
        [[ -z ${line//[[:space:]]/} ]] || words+=("$line")
    done <<<"${EXPORTER_OVERRIDES-}"
    attempt export "$exporter" export "recipe=$EXPORTER_RECIPE" "${words[@]}" --build "$build" --dist "$out/dist"
    ((code == 0)) || stop "❌ \`$EXPORTER_RECIPE\`: the export ended with exit code $code" export
    bundle=$(find "$out/dist" -mindepth 1 -maxdepth 1 -type d)
    release=$(basename "$bundle")
}

verify() {
    attempt verify "$exporter" verify "$bundle"
    ((code == 0)) || stop "❌ $release was exported and does not verify: exit code $code" verify
}

# Leaves the comment's text: what `diff` wrote, or why there is nothing to say.
compare() {
    local last
    last=$(last_release) || stop "⚠️ $release cannot be compared: the last release could not be fetched" baseline 2
    if [[ -z $last ]]; then
        headline "ℹ️ $release: no claim"
        local why='nothing was published yet'
        [[ -z ${EXPORTER_BASELINE-} ]] || why="EXPORTER_BASELINE is \`${EXPORTER_BASELINE//[^0-9A-Za-z._\/-]/_}\`"
        [[ -n ${EXPORTER_BASELINE-}${EXPORTER_FORGE-} ]] || why='no forge and no EXPORTER_BASELINE was named'
        echo "There is no earlier release to compare with ($why). Every promise that it makes for itself is kept." >>"$out/comment.md"
        return
    fi
    local words=()
    [[ -z ${EXPORTER_MAX_SLOWER-} ]] || words+=(--max-slower "$EXPORTER_MAX_SLOWER")
    [[ -z ${EXPORTER_MAX_BIGGER-} ]] || words+=(--max-bigger "$EXPORTER_MAX_BIGGER")
    [[ ${EXPORTER_PICTURES-} != shipped ]] || words+=(--pictures "$root/calibration/evaluation_256")
    attempt diff "$exporter" diff "$last" "$bundle" --max-loss-db "${EXPORTER_MAX_LOSS_DB:-0.05}" "${words[@]}" \
        --markdown "$out/diff.md" --html "$out/diff.html"
    [[ -f $out/diff.md ]] || stop "⚠️ $release cannot be compared: exit code $code" diff
    cp "$out/diff.md" "$out/comment.md"
    ((code == 0)) || finish "$code"
}

# The folder of the bundle to compare with; nothing when there is none.
last_release() {
    case ${EXPORTER_BASELINE-} in
        none) ;;
        '') [[ -z ${EXPORTER_FORGE-} ]] || forge baseline "$bundle" "$scratch/last" 2>"$out/baseline.log" ;;
        *) [[ ! -e $EXPORTER_BASELINE ]] || echo "$EXPORTER_BASELINE" ;;
    esac
}

# Only what is good gets here.
sign() {
    signed='**Unsigned**: this pipeline was given no key.'
    if [[ -n $key ]]; then
        key_file=$scratch/release.key
        (umask 077 && printf '%s\n' "$key" >"$key_file")
    fi
    [[ -n $key_file ]] || { step 'unsigned: this pipeline was given no key'; return; }
    attempt sign "$exporter" sign "$bundle" --key "$key_file"
    ((code == 0)) || stop "❌ $release is good and could not be signed: exit code $code" sign
    signed='Signed.'
    [[ -n ${EXPORTER_PUBLIC_KEY-} ]] || return 0
    attempt verify "$exporter" verify "$bundle" --key "$EXPORTER_PUBLIC_KEY"
    ((code == 0)) || stop "❌ $release is signed, and not by the key of $EXPORTER_PUBLIC_KEY: exit code $code" verify
    signed="Signed; checked with \`$EXPORTER_PUBLIC_KEY\`."
}

step() { printf '\n== %s\n' "$*"; }

# attempt NAME COMMAND …: shows what the command says, keeps it in NAME.log, leaves its exit code in $code.
attempt() {
    local name=$1
    shift
    code=0
    step "$name"
    "$@" </dev/null 2>&1 | tee "$out/$name.log" || code=${PIPESTATUS[0]}
    ((code <= 128)) || exit "$code" # interrupted: nothing is claimed
}

headline() { printf '<!-- exporter diff -->\n### %s\n\n' "$*" >"$out/comment.md"; }

# stop HEADLINE NAME [CODE]: the comment is the headline and the end of NAME.log, indented, so that it is text and nothing else.
stop() {
    headline "$1"
    tail -n 30 "$out/$2.log" | tr -d '\000-\010\013-\037' | cut -c 1-400 | sed 's/^/    /' >>"$out/comment.md"
    finish "${3:-$code}"
}

# finish CODE: the comment's end, the comment, the exit code.
finish() {
    {
        printf '\n%s' "${signed-**Unsigned.**}"
        [[ -z ${EXPORTER_COMMIT-} ]] || printf " Commit \`%s\`." "${EXPORTER_COMMIT//[^0-9A-Za-z]/}"
        [[ -z ${EXPORTER_RUN-} ]] || printf ' [The run](%s) keeps bundle, report and crops.' "$EXPORTER_RUN"
        printf '\n'
    } >>"$out/comment.md"
    step 'comment'
    cat "$out/comment.md"
    [[ -z ${EXPORTER_SUMMARY-} ]] || cat "$out/comment.md" >>"$EXPORTER_SUMMARY"
    if [[ -n ${EXPORTER_FORGE-} && -n ${EXPORTER_REQUEST-} ]]; then
        forge comment "$out/comment.md" --of "$EXPORTER_RECIPE" || echo 'The comment was not posted; the exit code stays what it is.' >&2
    fi
    exit "$1"
}

forge() {
    EXPORTER_TOKEN=$token CI_JOB_TOKEN=$job_token timeout 300 "$python" "$root/ci/forge.py" "$@"
}

main
