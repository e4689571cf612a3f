/** Shows what an act would do, asks for a reason and an end, and carries it out. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { type ActPreview, previewOf, targetText } from '../../model/act-requests.ts';
import type { Act, Verb } from '../../model/commands.ts';
import { carryOut, preview } from '../acts.ts';
import { errorMessage, isLoginNeeded } from '../admin-call.ts';
import { dialog } from '../state.ts';
import { closeDialog, Modal } from './modal.tsx';

const TITLES: Readonly<Record<Exclude<Verb, 'change'>, string>> = {
  drain: 'Drain',
  enable: 'Enable',
  stop: 'Stop',
  acknowledge: 'Acknowledge',
  remove: 'Remove',
};

const EFFECTS: Readonly<Record<Verb, string>> = {
  drain: 'Keeps its sessions and gets no new ones.',
  enable: 'Gets requests and new sessions again.',
  stop: 'Gets no more requests. Its sessions move to other nodes or end.',
  acknowledge: 'The loss is known: it no longer counts as a problem, and is forgotten after 24 hours.',
  remove: 'Leaves the cluster at once. Its sessions move to other nodes or end.',
  change: '',
};

const MINUTE_MS = 60_000;
const DEADLINES: readonly (readonly [string, number | undefined])[] = [
  ['until its sessions have ended', undefined],
  ['at most 5 minutes', 5 * MINUTE_MS],
  ['at most 15 minutes', 15 * MINUTE_MS],
  ['at most 1 hour', 60 * MINUTE_MS],
];
const PERIODS: readonly (readonly [string, number | undefined])[] = [
  ['until an operator ends it', undefined],
  ['for 30 minutes', 30 * MINUTE_MS],
  ['for 2 hours', 120 * MINUTE_MS],
  ['for 1 day', 1_440 * MINUTE_MS],
];

export function ActDialog({ act }: { readonly act: Act }) {
  const shown = useSignal<ActPreview | undefined>(undefined);
  const trouble = useSignal('');
  const isSending = useSignal(false);
  const reason = useSignal('');
  const typed = useSignal('');
  const forMs = useSignal<number | undefined>(undefined);
  const deadlineMs = useSignal(act.deadlineMs);
  useEffect(() => {
    preview(act).then(
      (results) => {
        shown.value = previewOf(results);
      },
      (error) => {
        if (isLoginNeeded(error)) dialog.value = { type: 'login', why: error.message };
        else trouble.value = errorMessage(error);
      },
    );
  }, [act]);

  const verb = act.words ?? TITLES[act.verb as keyof typeof TITLES];
  const warning = shown.value?.warning;
  const name = shown.value?.balancer;
  const isReady = shown.value !== undefined && !isSending.value && (name === undefined || typed.value === name);
  const confirm = async (): Promise<void> => {
    if (!isReady) return;
    isSending.value = true;
    try {
      await carryOut(act, {
        reason: reason.value.trim(),
        isForced: warning !== undefined,
        ...(forMs.value !== undefined && { forMs: forMs.value }),
        ...(deadlineMs.value !== undefined && { deadlineMs: deadlineMs.value }),
      });
      closeDialog();
    } catch (error) {
      trouble.value = errorMessage(error);
      isSending.value = false;
    }
  };
  return (
    <Modal title={`${verb} ${targetText(act)}?`}>
      <form
        onSubmit={(submit) => {
          submit.preventDefault();
          void confirm();
        }}
      >
        <p class="quiet">{EFFECTS[act.verb]}</p>
        <div class="preview" aria-live="polite">
          {shown.value === undefined && trouble.value === '' && <p class="quiet">Looking what would happen…</p>}
          {shown.value?.sentences.map((sentence) => (
            <p key={sentence}>{sentence}</p>
          ))}
        </div>
        {warning !== undefined && (
          <div class="warning">
            <p>
              <strong>Warning:</strong> {warning}.
            </p>
            {name !== undefined && (
              <label>
                Type <strong>{name}</strong> to confirm
                <input
                  value={typed.value}
                  autocomplete="off"
                  onInput={(input) => {
                    typed.value = input.currentTarget.value;
                  }}
                />
              </label>
            )}
          </div>
        )}
        {act.verb === 'drain' && <Choice label="Wait for sessions" choices={DEADLINES} chosen={deadlineMs} />}
        {(act.verb === 'drain' || act.verb === 'stop') && <Choice label="Duration" choices={PERIODS} chosen={forMs} />}
        <label>
          Reason, for the audit
          <input
            value={reason.value}
            maxLength={200}
            autocomplete="off"
            onInput={(input) => {
              reason.value = input.currentTarget.value;
            }}
          />
        </label>
        {trouble.value !== '' && (
          <p class="trouble" role="alert">
            {trouble.value}
          </p>
        )}
        <p class="choices">
          <button type="submit" class="primary" disabled={!isReady}>
            {verb}
          </button>
          <button type="button" onClick={closeDialog}>
            Cancel
          </button>
        </p>
      </form>
    </Modal>
  );
}

interface ChoiceOptions {
  readonly label: string;
  readonly choices: readonly (readonly [string, number | undefined])[];
  readonly chosen: { value: number | undefined };
}

function Choice({ label, choices, chosen }: ChoiceOptions) {
  return (
    <label>
      {label}
      <select
        value={String(chosen.value ?? '')}
        onChange={(change) => {
          chosen.value = change.currentTarget.value === '' ? undefined : Number(change.currentTarget.value);
        }}
      >
        {choices.map(([text, value]) => (
          <option key={text} value={String(value ?? '')}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
