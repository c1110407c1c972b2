/**
 * Docker's clients write out, in some calls, what short image names stand for to them; the engine knows images by their
 * short names.
 */
export function familiarName(reference: string): string {
  return reference.replace(/^(?:index\.)?docker\.io\/(?:library\/)?/, '');
}
