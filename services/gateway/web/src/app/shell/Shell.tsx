/** Shell: what surrounds every page: name, navigation, connection, theme, account, keyboard. */
import { ActionIcon, Button, Menu, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { IconKeyboard, IconMoon, IconSun, IconUserCircle } from '@tabler/icons-react'
import { useState, type ReactNode } from 'react'
import { Link, NavLink, useNavigate } from 'react-router'
import { Palette } from '@/app/palette/Palette'
import { PLACES } from '@/app/palette/places'
import { NoticeBar } from '@/features/operation/NoticeBar'
import { useApp } from '@/shared/api/app-context'
import { useOpenIncidents } from '@/shared/api/queries/history'
import { account, keys, nav, product } from '@/shared/i18n'
import { useShortcuts } from '@/shared/keyboard/useShortcuts'
import { useTabState } from '@/shared/ui/useTabState'
import { ConnectionPill } from './ConnectionPill'
import { HelpDialog } from './HelpDialog'
import { Mark } from './Mark'
import classes from './Shell.module.css'

export function Shell({ user, children }: { user: string | undefined; children: ReactNode }) {
  const navigate = useNavigate()
  const { session } = useApp()
  const { setColorScheme } = useMantineColorScheme()
  const places = PLACES.filter((place) => user !== undefined || !place.isForPeople)
  const isDark = useComputedColorScheme('light') === 'dark'
  const [isHelpOpen, setHelpOpen] = useState(false)
  const switchScheme = () => setColorScheme(isDark ? 'light' : 'dark')

  useTabState(useOpenIncidents().data?.items.length ?? 0)
  useShortcuts([
    { keys: '?', title: keys.help, run: () => setHelpOpen(true) },
    ...places.map(({ path, name, key }) => ({
      keys: `g ${key}`,
      title: keys.goTo(name),
      run: () => void navigate(path),
    })),
    { keys: 'g t', title: keys.theme, run: switchScheme },
  ])

  return (
    <div className={classes.shell}>
      <a className={classes.skip} href="#content">
        {nav.skip}
      </a>
      <header className={classes.bar}>
        <NavLink to="/" className={classes.brand} aria-label={product}>
          <Mark />
          <span>{product}</span>
        </NavLink>
        <nav className={classes.nav} aria-label={nav.main}>
          {places
            .filter((place) => place.isInBar)
            .map(({ path, name }) => (
              <NavLink key={path} to={path} end={path === '/'} className={classes.link}>
                {name}
              </NavLink>
            ))}
        </nav>
        <div className={classes.tools}>
          <ConnectionPill />
          <ActionIcon
            className={classes.wide}
            variant="subtle"
            color="gray"
            aria-label={keys.title}
            onClick={() => setHelpOpen(true)}
          >
            <IconKeyboard size={18} stroke={1.6} />
          </ActionIcon>
          <ActionIcon variant="subtle" color="gray" aria-label={keys.theme} title={keys.theme} onClick={switchScheme}>
            {isDark ? <IconSun size={18} stroke={1.6} /> : <IconMoon size={18} stroke={1.6} />}
          </ActionIcon>
          {user === undefined && (
            <Button size="compact-sm" onClick={() => session.askToSignIn()}>
              {account.signIn}
            </Button>
          )}
          <Menu position="bottom-end" width={200}>
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" aria-label={account.menu}>
                <IconUserCircle size={19} stroke={1.6} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Label>{user === undefined ? account.visiting : account.signedInAs(user)}</Menu.Label>
              {places
                .filter((place) => !place.isInBar)
                .map(({ path, name }) => (
                  <Menu.Item key={path} component={Link} to={path}>
                    {name}
                  </Menu.Item>
                ))}
              <Menu.Divider />
              {user === undefined ? (
                <Menu.Item onClick={() => session.askToSignIn()}>{account.signIn}</Menu.Item>
              ) : (
                <Menu.Item onClick={() => void session.signOut()}>{account.signOut}</Menu.Item>
              )}
            </Menu.Dropdown>
          </Menu>
        </div>
      </header>
      <NoticeBar />
      <main id="content" className={classes.content}>
        {children}
      </main>
      <Palette />
      <HelpDialog isOpen={isHelpOpen} onClose={() => setHelpOpen(false)} />
    </div>
  )
}
