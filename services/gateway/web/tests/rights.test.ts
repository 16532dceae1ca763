/** Who may do what, as typed and as shown. */
import { describe, expect, it } from 'vitest'
import { rightsFrom, rightsShown } from '@/shared/ui/projects'
import { mayChange } from '@/shared/api/queries/me'

describe('rights', () => {
  it('of an empty line are those in all projects', () => {
    expect(rightsFrom(' ')).toEqual({ roles: {} })
    expect(rightsShown({ projects: null, roles: {} })).toBe('all')
  })

  it('may be another role in single projects, and are shown as they are typed', () => {
    const typed = 'iree, llvm=maintainer torch-mlir'
    expect(rightsFrom(typed)).toEqual({ projects: ['iree', 'torch-mlir'], roles: { llvm: 'maintainer' } })
    expect(rightsShown(rightsFrom(typed))).toBe('iree, torch-mlir, llvm=maintainer')
    expect(rightsFrom('llvm=viewer')).toEqual({ projects: [], roles: { llvm: 'viewer' } })
  })

  it('let somebody change builds where they are more than a viewer in some project', () => {
    expect(mayChange({ name: 'ann', role: 'viewer' })).toBe(false)
    expect(mayChange({ name: 'ann', role: 'viewer', roles: { iree: 'developer' } })).toBe(true)
    expect(mayChange({ name: 'ann', role: 'developer', projects: ['iree'] })).toBe(true)
  })
})
