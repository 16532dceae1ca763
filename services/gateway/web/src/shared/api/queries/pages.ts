/** Pages of a list: each next one is asked for by the cursor that the last one ended with. */

export const PAGED = {
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (last: { nextCursor?: string | null }) => last.nextCursor ?? undefined,
}
