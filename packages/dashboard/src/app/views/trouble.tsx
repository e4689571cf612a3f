/** Why a view has nothing to show, or nothing new. */
export function Trouble({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : (
    <p class="trouble" role="alert">
      Not read: {text}.
    </p>
  );
}
