# A kiosk that was erased is a kiosk when it is seen again.
d0 09:45 e6 card=c-4 anonymous_id=kiosk-1
d0 15:07 erase anonymous_id=kiosk-1
d0 16:51 e34 anonymous_id=kiosk-1
d0 18:46 e38 email=c-2@example.com anonymous_id=kiosk-1
people e6 / e34 / e38
