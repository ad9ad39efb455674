// What a person has set for how things are shown here; it stays in this browser, as the theme does.
import { create } from 'zustand';
import { isZone, showTimesIn } from '@/ui/format';

const ZONE = 'pawl.zone';
const LETTERS = 'pawl.letters';

type Preferences = {
  /** Empty: that of the browser. */
  zone: string;
  chooseZone: (zone: string) => void;
  /** Single letters act as shortcuts. */
  letters: boolean;
  chooseLetters: (on: boolean) => void;
};

const storedZone = localStorage.getItem(ZONE) ?? '';
showTimesIn(storedZone);

export const usePreferences = create<Preferences>((set) => ({
  zone: isZone(storedZone) ? storedZone : '',
  chooseZone: (zone) => {
    localStorage.setItem(ZONE, zone);
    showTimesIn(zone);
    set({ zone });
  },
  letters: localStorage.getItem(LETTERS) !== 'off',
  chooseLetters: (letters) => {
    localStorage.setItem(LETTERS, letters ? 'on' : 'off');
    set({ letters });
  },
}));
